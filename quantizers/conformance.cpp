#include <bitgrad/quantizers/conformance.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/quantizers/detail/conformance/checks.hpp>

namespace bitgrad {
namespace {

using namespace conformance;

void require_no_tape() {
  if (Tape::current()) fail<StateError>("check_quantizer: a tape is in scope, expected none");
}

// Starts of four channels; a quantizer per tensor takes one of them. Ranges contain zero, as those of calibration do.
constexpr std::array<double, 4> thresholds{0.7, 0.3, 1.9, 5};
constexpr std::array<double, 4> powers_of_two{0.5, 0.25, 2, 8};
constexpr std::array<double, 4> range_min{-2.0, -0.7, 0, -1.7};
constexpr std::array<double, 4> range_max{0.7, 1.3, 0.9, 0};

Tensor parameter(const std::array<double, 4>& values, std::optional<int> axis, int bits) {
  if (!axis) return Tensor::full({1}, values[static_cast<std::size_t>(bits) % 4], DType::float64);
  const Shape shape = Shape{1, 1, 1}.with(*axis, 4);
  return Tensor::from(shape, std::vector<double>(values.begin(), values.end()));
}

void fill(BaseQuantizerConfig& config, QuantizationMethod method, int bits, std::optional<int> axis) {
  config.method = method;
  config.n_bits = bits;
  if (method == QuantizationMethod::UNIFORM) {
    config.quantization_params["range_min"] = parameter(range_min, axis, bits);
    config.quantization_params["range_max"] = parameter(range_max, axis, bits);
  } else {
    const bool powers = method == QuantizationMethod::POWER_OF_TWO || method == QuantizationMethod::LUT_POT_QUANTIZER;
    config.quantization_params["threshold"] = parameter(powers ? powers_of_two : thresholds, axis, bits);
  }
}

/// Every configuration of a class for one method and bit width, as f(config, factory).
template <class F>
void each_configuration(const TrainableEntry& entry, QuantizationMethod method, int bits, F f) {
  if (entry.weights != nullptr) {
    for (const std::optional<int> axis : {std::optional<int>(), std::optional<int>(-1), std::optional<int>(0)}) {
      TrainableQuantizerWeightsConfig config;
      fill(config, method, bits, axis);
      config.weights_per_channel_threshold = axis.has_value();
      config.weights_channels_axis = axis.value_or(-1);
      f(config, entry.weights);
    }
  } else {
    for (const bool is_signed : {true, false}) {
      TrainableQuantizerActivationConfig config;
      fill(config, method, bits, {});
      if (method != QuantizationMethod::UNIFORM)
        config.quantization_params["is_signed"] = Tensor::scalar(is_signed ? 1 : 0, DType::float64);
      else if (!is_signed)
        return;  // a range says it all
      f(config, entry.activation);
    }
  }
}

void append(std::string& text, const ConformanceFinding& finding) {
  text += message("  ", name_of(finding.property), ": ", finding.quantizer, "\n    input:  ", finding.input,
                  "\n    values: ", finding.values, "\n");
}

}  // namespace

bool ConformanceReport::finds(Property property) const {
  return std::ranges::find(findings, property, &ConformanceFinding::property) != findings.end();
}

bool ConformanceReport::declares(Property property) const {
  return std::ranges::find(declared, property, &ConformanceFinding::property) != declared.end();
}

void ConformanceReport::add(ConformanceReport other) {
  std::ranges::move(other.findings, std::back_inserter(findings));
  std::ranges::move(other.declared, std::back_inserter(declared));
  std::ranges::move(other.refused, std::back_inserter(refused));
  quantizers += other.quantizers;
}

std::string ConformanceReport::describe() const {
  std::string text = message(quantizers, quantizers == 1 ? " quantizer" : " quantizers", " checked: ");
  if (passed())
    text += "all properties hold\n";
  else if (quantizers == 0)
    text += "none could be built\n";
  else
    text += message(findings.size(), findings.size() == 1 ? " finding\n" : " findings\n");
  for (const ConformanceFinding& finding : findings) append(text, finding);
  for (const ConformanceFinding& finding : declared)
    text += message("  declared ", name_of(finding.property), ": ", finding.quantizer, ": ", finding.input, ": ",
                    finding.values, "\n");
  for (const std::string& refusal : refused) text += message("  refused: ", refusal, "\n");
  return text;
}

ConformanceReport check_quantizer(const BaseInferableQuantizer& quantizer, const ConformanceOptions& options) {
  require_no_tape();
  ConformanceReport report;
  report.quantizers = 1;
  Recorder recorder(report, quantizer.describe(), quantizer.departures());
  check_frozen(quantizer, options, "", recorder);
  return report;
}

ConformanceReport check_quantizer(const BaseTrainableQuantizer& quantizer, const ConformanceOptions& options) {
  require_no_tape();
  ConformanceReport report;
  report.quantizers = 1;
  Recorder recorder(report, title(quantizer), quantizer.departures());
  check_trainable(quantizer, options, recorder);
  recorder.check(Property::conversion, "convert2inferable()", [&] {
    const InferablePtr converted = initialized_copy(quantizer)->convert2inferable();
    ConformanceOptions frozen = options;
    frozen.rank = rank_of(quantizer);
    Recorder of_converted(report, title(quantizer) + ", converted: " + converted->describe(), converted->departures());
    check_frozen(*converted, frozen, "", of_converted);
  });
  return report;
}

ConformanceReport check_quantizer(const TrainableEntry& entry, const ConformanceOptions& options) {
  ConformanceReport report;
  for (std::size_t m = 0; m < entry.mark.method_count; ++m)
    for (const int bits : options.bits) {
      ConformanceOptions for_bits = options;
      if (bits != options.bits.front() && bits != 4) for_bits.threads.clear();  // says the same for any width
      each_configuration(entry, entry.mark.methods[m], bits, [&](const auto& config, const auto& factory) {
        TrainablePtr quantizer;
        try {
          quantizer = factory(config, false);
        } catch (const Error& error) {
          report.refused.push_back(error.what());
          return;
        }
        report.add(check_quantizer(*quantizer, for_bits));
      });
    }
  return report;
}

ConformanceReport check_quantizer(std::string_view identifier, const ConformanceOptions& options) {
  ConformanceReport report;
  bool known = false;
  for (const TrainableEntry& entry : trainable_quantizers()) {
    if (entry.mark.identifier != identifier) continue;
    known = true;
    report.add(check_quantizer(entry, options));
  }
  if (!known) fail<ValueError>("check_quantizer: ", unknown_name("quantizer", identifier, trainable_identifiers()));
  return report;
}

}  // namespace bitgrad
