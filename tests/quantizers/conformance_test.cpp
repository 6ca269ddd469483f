// Every quantizer that comes with bitgrad against the conformance checks.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/conformance.hpp>
#include <bitgrad/quantizers/inferable/lut.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

/// Classes of bitgrad itself: those of the tests have a namespace.
bool builtin(const std::string& class_name) { return class_name.find("::") == std::string::npos; }

using Frozen = std::vector<InferablePtr>;

struct LookUpTable {
  std::vector<double> entries;
  int bitwidth;
};

/// 2^bits entries at most, zero among them, unevenly spaced and not in order; of more bits than the quantizer where it
/// has few.
LookUpTable look_up_table(int bits) {
  const int bitwidth = std::max(8, bits);
  const double half = std::exp2(bitwidth - 1);
  std::vector<double> entries{0};
  for (double i = 1; i < std::min(std::exp2(bits), 64.0); ++i)
    entries.push_back(std::fmod(i * i * 37, 2 * half) - half);
  return {entries, bitwidth};
}

/// Instances of every inferable class, by its name: per tensor and per channel, also along a first and a middle axis.
std::map<std::string, Frozen> inferable_instances(int bits) {
  std::map<std::string, Frozen> all;
  const auto add = [&](InferablePtr quantizer) { all[std::string(quantizer->type())].push_back(std::move(quantizer)); };
  const std::vector<double> thresholds{0.7, 0.3, 1.9, 5}, powers{0.5, 0.25, 2, 8};
  const std::vector<double> low{-2.0, -0.7, 0.2, -1.7}, high{0.7, 1.3, 0.9, -0.1};
  for (std::size_t i = 0; i < 4; ++i) {
    add(std::make_unique<WeightsSymmetricInferableQuantizer>(
        WeightsSymmetricInferableQuantizer::Options{bits, {thresholds[i]}}));
    add(std::make_unique<WeightsPOTInferableQuantizer>(WeightsPOTInferableQuantizer::Options{bits, {powers[i]}}));
    add(std::make_unique<WeightsUniformInferableQuantizer>(
        WeightsUniformInferableQuantizer::Options{bits, {low[i]}, {high[i]}}));
    add(std::make_unique<ActivationUniformInferableQuantizer>(
        ActivationUniformInferableQuantizer::Options{bits, {low[i]}, {high[i]}}));
    for (const bool is_signed : {true, false}) {
      add(std::make_unique<ActivationSymmetricInferableQuantizer>(
          ActivationSymmetricInferableQuantizer::Options{bits, {thresholds[i]}, is_signed}));
      add(std::make_unique<ActivationPOTInferableQuantizer>(
          ActivationPOTInferableQuantizer::Options{bits, {powers[i]}, is_signed}));
    }
  }
  for (const int axis : {-1, 0, 1, -3}) {
    add(std::make_unique<WeightsSymmetricInferableQuantizer>(
        WeightsSymmetricInferableQuantizer::Options{bits, thresholds, true, axis}));
    add(std::make_unique<WeightsPOTInferableQuantizer>(
        WeightsPOTInferableQuantizer::Options{bits, powers, true, axis}));
    add(std::make_unique<WeightsUniformInferableQuantizer>(
        WeightsUniformInferableQuantizer::Options{bits, low, high, true, axis}));
    add(std::make_unique<WeightsUniformInferableQuantizer>(
        WeightsUniformInferableQuantizer::Options{bits, low, high, true, axis, ZeroPointRule::reference}));
  }
  const LookUpTable table = look_up_table(bits);
  for (const double power : powers) {
    add(std::make_unique<WeightsLUTSymmetricInferableQuantizer>(
        WeightsLUTSymmetricInferableQuantizer::Options{.num_bits = bits,
                                                       .lut_values = table.entries,
                                                       .threshold = {power * 1.1},
                                                       .lut_values_bitwidth = table.bitwidth}));
    add(std::make_unique<WeightsLUTPOTInferableQuantizer>(WeightsLUTPOTInferableQuantizer::Options{
        .num_bits = bits, .lut_values = table.entries, .threshold = {power}, .lut_values_bitwidth = table.bitwidth}));
    add(std::make_unique<ActivationLutPOTInferableQuantizer>(ActivationLutPOTInferableQuantizer::Options{
        .num_bits = bits, .lut_values = table.entries, .threshold = {power}, .lut_values_bitwidth = table.bitwidth}));
  }
  for (const int axis : {-1, 0, 1, -3}) {
    const WeightsLUTSymmetricInferableQuantizer::Options per_channel{.num_bits = bits,
                                                                     .lut_values = table.entries,
                                                                     .threshold = powers,
                                                                     .per_channel = true,
                                                                     .channel_axis = axis,
                                                                     .input_rank = 3,
                                                                     .lut_values_bitwidth = table.bitwidth};
    add(std::make_unique<WeightsLUTSymmetricInferableQuantizer>(per_channel));
    add(std::make_unique<WeightsLUTPOTInferableQuantizer>(per_channel));
  }
  return all;
}

}  // namespace

TEST_CASE("every built-in trainable quantizer keeps what it promises") {
  std::map<std::string, std::set<Property>> declared, borne_out;  // by identifier
  for (const TrainableEntry& entry : trainable_quantizers()) {
    if (!builtin(entry.class_name)) continue;
    const ConformanceReport report = check_quantizer(entry);
    INFO(entry.class_name << "\n" << report.describe());
    CHECK(report.passed());
    const std::string identifier(entry.mark.identifier);
    for (const ConformanceFinding& finding : report.declared) borne_out[identifier].insert(finding.property);
    for (std::size_t m = 0; m < entry.mark.method_count; ++m) {
      const Given given{.method = entry.mark.methods[m], .threshold = {1}, .min = {-1}, .max = {2}};
      const TrainablePtr quantizer = entry.weights != nullptr ? entry.weights(weights_config(given), false)
                                                              : entry.activation(activation_config(given), false);
      for (const Departure& departure : quantizer->departures()) {
        CHECK_FALSE(departure.why.empty());
        declared[identifier].insert(departure.property);
      }
    }
  }
  CHECK(declared.contains("mct-lsq"));
  CHECK(declared == borne_out);  // a declaration that nothing bears out would hide a mistake to come
}

TEST_CASE("bitgrad's own quantizers depart from nothing") {
  for (const char* identifier : {"lsq", "lsq-pot", "lsq-plus", "dqa"}) {
    const ConformanceReport report = check_quantizer(identifier);
    INFO(report.describe());
    CHECK(report.passed());
    CHECK(report.declared.empty());
    CHECK(report.refused.empty());
    CHECK(report.quantizers >= 30);
  }
}

TEST_CASE("every built-in inferable quantizer by itself") {
  std::set<std::string> checked;
  for (const int bits : {1, 2, 3, 4, 8, 11, 16}) {
    for (const auto& [name, instances] : inferable_instances(bits)) {
      checked.insert(name);
      for (const InferablePtr& quantizer : instances) {
        ConformanceOptions options;
        if (bits != 4) options.threads.clear();
        const ConformanceReport report = check_quantizer(*quantizer, options);
        INFO(quantizer->to_json() << "\n" << report.describe());
        CHECK(report.passed());
      }
    }
  }
  for (const InferableEntry& entry : inferable_quantizers()) {
    INFO(entry.class_name << " has no instance in this test");
    CHECK((!builtin(entry.class_name) || checked.contains(entry.class_name)));
  }
}

TEST_CASE("a report describes itself") {
  ConformanceOptions few;
  few.bits = {1, 4};
  const ConformanceReport report = check_quantizer("mct-lsq", few);
  INFO(report.describe());
  CHECK(report.passed());
  CHECK_THAT(report.describe(),
             Contains("all properties hold") && Contains("declared") && Contains("refused: ") && Contains("1 bit"));
  CHECK_THROWS_WITH(check_quantizer("lsk"), Contains("lsk") && Contains("did you mean \"lsq\""));
  const Tape tape;
  CHECK_THROWS_AS(check_quantizer("lsq", few), StateError);
}

namespace {

/// Takes the entry below the nearest one: truncation, as it happens in tables.
class TruncatingTable : public WeightsLUTSymmetricInferableQuantizer {
 public:
  using WeightsLUTSymmetricInferableQuantizer::WeightsLUTSymmetricInferableQuantizer;
  Tensor codes(const Tensor& x) const override {
    Tensor codes = WeightsLUTSymmetricInferableQuantizer::codes(x);
    for (Index i = 0; i < x.size(); ++i)
      if (static_cast<float>(codes.data<std::int32_t>()[i]) > x.data<float>()[i] * 128)
        codes.data<std::int32_t>()[i] -= 64;
    return codes;
  }
  Tensor operator()(const Tensor& x) const override { return dequantize(codes(x)); }
};

}  // namespace

TEST_CASE("a table without zero declares it") {
  const ConformanceReport report = check_quantizer(
      WeightsLUTSymmetricInferableQuantizer({.num_bits = 2, .lut_values = {-64, 3, 64}, .threshold = {1}}));
  INFO(report.describe());
  CHECK(report.passed());
  CHECK(report.declares(Property::zero));
  CHECK(check_quantizer(ActivationLutPOTInferableQuantizer({.num_bits = 1, .lut_values = {-1, 1}, .threshold = {1}}))
            .passed());
}

TEST_CASE("a table quantizer that does not take the nearest entry is found") {
  const WeightsLUTSymmetricInferableQuantizer::Options options{
      .num_bits = 2, .lut_values = {-64, 0, 64}, .threshold = {1}};
  CHECK(check_quantizer(WeightsLUTSymmetricInferableQuantizer(options)).passed());
  CHECK(check_quantizer(TruncatingTable(options)).finds(Property::codes));
}
