// Bits, thresholds and ranges that no quantizer takes: every class says its name, the value, and what it expected.
#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/registry.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;
using Catch::StartsWith;

namespace {

constexpr auto symmetric = QuantizationMethod::SYMMETRIC, uniform = QuantizationMethod::UNIFORM,
               pot = QuantizationMethod::POWER_OF_TWO;
const std::vector<double> illegal_thresholds{-1, static_cast<double>(not_a_number), static_cast<double>(infinity),
                                             -static_cast<double>(infinity)};

/// The reference's trainable quantizers and bitgrad's, by weights and activations: `text` is in the message of each.
void check_trainable_refused(const Given& given, const std::string& text) {
  int classes = 0;
  for (const TrainableEntry& entry : trainable_quantizers()) {
    if (!entry.mark.serves(given.method) || entry.class_name.find("::") != std::string::npos) continue;  // not built-in
    ++classes;
    const auto make = [&] {
      return entry.weights ? entry.weights(weights_config(given), false)
                           : entry.activation(activation_config(given), false);
    };
    CHECK_THROWS_WITH(make(), StartsWith(entry.class_name + ": ") && Contains(text) && Contains("expected"));
  }
  CHECK(classes >= 6);  // the reference's and bitgrad's own
}

/// Class name of Q with the method's look-up, so that a renamed class is not forgotten here.
template <class Q>
void check_refused(const typename Q::Options& options, const std::string& text) {
  const std::string name(get_inferable_quantizer_class(Q::mark.target, Q::mark.methods[0]));
  CHECK_THROWS_WITH(Q(options), StartsWith(name + ": ") && Contains(text) && Contains("expected"));
}

}  // namespace

TEST_CASE("trainable quantizers refuse bits, thresholds and ranges that are out of range") {
  for (const QuantizationMethod method : {symmetric, pot, uniform})
    for (const int bits : {-1, 0, 17})
      check_trainable_refused({.method = method, .bits = bits, .threshold = {1}, .min = {-1}, .max = {1}},
                              message("n_bits is ", bits));
  for (const double bad : illegal_thresholds)
    for (const QuantizationMethod method : {symmetric, pot})
      check_trainable_refused({.method = method, .threshold = {bad}}, message("threshold is ", bad));
  for (const double bad : {static_cast<double>(not_a_number), static_cast<double>(infinity)}) {
    check_trainable_refused({.method = uniform, .min = {bad}, .max = {1}}, message("range_min is ", bad));
    check_trainable_refused({.method = uniform, .min = {-1}, .max = {bad}}, message("range_max is ", bad));
  }
  check_trainable_refused({.method = uniform, .min = {2}, .max = {-1}}, "range 0 is [2, -1], expected min < max");
  check_trainable_refused({.method = uniform, .min = {1}, .max = {1}}, "range 0 is [1, 1]");
}

TEST_CASE("every registered trainable quantizer refuses 0 and 17 bits") {
  for (const TrainableEntry& entry : trainable_quantizers())
    for (std::size_t m = 0; m < entry.mark.method_count; ++m)
      for (const int bits : {0, 17}) {
        INFO(entry.class_name);
        const Given given{.method = entry.mark.methods[m], .bits = bits, .threshold = {1}, .min = {-1}, .max = {1}};
        const auto make = [&] {
          return entry.weights ? entry.weights(weights_config(given), false)
                               : entry.activation(activation_config(given), false);
        };
        CHECK_THROWS_WITH(make(), Contains(entry.class_name) && Contains(message("n_bits is ", bits, ", expected")));
      }
}

TEST_CASE("inferable quantizers refuse bits, thresholds and ranges that are out of range") {
  using WeightsSymmetric = WeightsSymmetricInferableQuantizer;
  using ActivationSymmetric = ActivationSymmetricInferableQuantizer;
  using WeightsUniform = WeightsUniformInferableQuantizer;
  using ActivationUniform = ActivationUniformInferableQuantizer;
  for (const int bits : {-1, 0, 17}) {
    const std::string text = message("num_bits is ", bits, ", expected 1 to 16");
    check_refused<WeightsSymmetric>({.num_bits = bits, .threshold = {1}}, text);
    check_refused<WeightsPOTInferableQuantizer>({.num_bits = bits, .threshold = {1}}, text);
    check_refused<ActivationSymmetric>({.num_bits = bits, .threshold = {1}}, text);
    check_refused<ActivationPOTInferableQuantizer>({.num_bits = bits, .threshold = {1}}, text);
    check_refused<WeightsUniform>({.num_bits = bits, .min_range = {-1}, .max_range = {1}}, text);
    check_refused<ActivationUniform>({.num_bits = bits, .min_range = {-1}, .max_range = {1}}, text);
  }
  std::vector<double> bad_thresholds = illegal_thresholds;
  bad_thresholds.push_back(0);
  for (const double bad : bad_thresholds) {
    const std::string text = message("threshold 0 is ", bad);
    check_refused<WeightsSymmetric>({.threshold = {bad}}, text);
    check_refused<WeightsPOTInferableQuantizer>({.threshold = {bad}}, text);
    check_refused<ActivationSymmetric>({.threshold = {bad}}, text);
    check_refused<ActivationPOTInferableQuantizer>({.threshold = {bad}}, text);
  }
  check_refused<WeightsSymmetric>({.threshold = {1, -2}, .per_channel = true, .channel_axis = -1}, "threshold 1 is -2");
  check_refused<ActivationPOTInferableQuantizer>({.threshold = {0.3}}, "threshold 0 is 0.3, expected a power of two");
  check_refused<ActivationSymmetric>({.threshold = {1, 2}}, "threshold has 2 elements, expected exactly 1");
  const double nan = static_cast<double>(not_a_number), inf = static_cast<double>(infinity);
  for (const auto& [min, max] :
       std::vector<std::pair<double, double>>{{nan, 1}, {-1, nan}, {-inf, 1}, {-1, inf}, {2, -1}, {1, 1}}) {
    const std::string text = message("range 0 is [", min, ", ", max, "], expected finite numbers, min < max");
    check_refused<WeightsUniform>({.min_range = {min}, .max_range = {max}}, text);
    check_refused<ActivationUniform>({.min_range = {min}, .max_range = {max}}, text);
  }
  check_refused<WeightsUniform>({.min_range = {-1}, .max_range = {1, 2}},
                                "max_range has 2 elements, expected exactly 1");
  check_refused<ActivationUniform>({.min_range = {-1, -1}, .max_range = {1, 1}},
                                   "min_range has 2 elements, expected exactly 1");
}
