#include <algorithm>
#include <limits>

#include <bitgrad/quantizers/golden/detail/compare.hpp>
#include <bitgrad/quantizers/golden/detail/read.hpp>
#include <bitgrad/quantizers/inferable/lut.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/registry.hpp>
#include <bitgrad/quantizers/type_name.hpp>

namespace bitgrad::golden::detail {
namespace {

int any_int(const Node& value) {
  return value.integer(std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
}

/// Sets what is there; the rest keeps its default.
void assign(std::vector<double>& member, const Node& arguments, std::string_view key) {
  if (arguments.has(key)) member = arguments.at(key).numbers();
}
void assign(bool& member, const Node& arguments, std::string_view key) {
  if (arguments.has(key)) member = arguments.at(key).boolean();
}
void assign(int& member, const Node& arguments, std::string_view key) {
  if (arguments.has(key)) member = any_int(arguments.at(key));
}
void assign(double& member, const Node& arguments, std::string_view key) {
  if (arguments.has(key)) member = arguments.at(key).number();
}
void assign(std::optional<int>& member, const Node& arguments, std::string_view key) {
  if (arguments.has(key) && !arguments.at(key).is_null()) member = any_int(arguments.at(key));
}

/// Builds Q from its Options, member by member: for numbers that JSON does not have.
template <class Q>
InferablePtr from_options(const Node& arguments) {
  typename Q::Options options;
  assign(options.num_bits, arguments, "num_bits");
  if constexpr (requires { options.threshold; }) assign(options.threshold, arguments, "threshold");
  if constexpr (requires { options.is_signed; }) assign(options.is_signed, arguments, "signed");
  if constexpr (requires { options.min_range; }) assign(options.min_range, arguments, "min_range");
  if constexpr (requires { options.max_range; }) assign(options.max_range, arguments, "max_range");
  if constexpr (requires { options.per_channel; }) assign(options.per_channel, arguments, "per_channel");
  if constexpr (requires { options.channel_axis; }) assign(options.channel_axis, arguments, "channel_axis");
  if constexpr (requires { options.input_rank; }) assign(options.input_rank, arguments, "input_rank");
  if constexpr (requires { options.lut_values; }) {
    assign(options.lut_values, arguments, "lut_values");
    assign(options.lut_values_bitwidth, arguments, "lut_values_bitwidth");
    assign(options.eps, arguments, "eps");
  }
  return std::make_unique<Q>(std::move(options));
}

template <class... Q>
InferablePtr from_options_of(const std::string& class_name, const Node& arguments) {
  InferablePtr result;
  ((class_name == type_name<Q>() ? void(result = from_options<Q>(arguments)) : void()), ...);
  if (!result) fail<ValueError>("no inferable quantizer \"", class_name, "\" takes numbers that are not finite");
  return result;
}

bool is_below_normal(double step) { return step < static_cast<double>(std::numeric_limits<float>::min()); }

Refusal refused_threshold(double threshold, int bits, bool is_signed) {
  if (!std::isfinite(threshold) || threshold <= 0) return Refusal::must;
  const double step = std::ldexp(threshold, is_signed ? 1 - bits : -bits);
  const bool fits = std::isfinite(static_cast<float>(step)) && !is_below_normal(step);
  return fits ? Refusal::no : Refusal::might;
}

Refusal refused_range(double min, double max, int bits) {
  const float low = static_cast<float>(min), high = static_cast<float>(max), width = high - low;
  if (!std::isfinite(low) || !std::isfinite(high) || !std::isfinite(width) || width <= 0) return Refusal::must;
  return is_below_normal(static_cast<double>(width) / ((1 << bits) - 1)) ? Refusal::might : Refusal::no;
}

}  // namespace

InferablePtr construct(std::string_view json) {
  const Node arguments = Node::parse(json, "constructor arguments");
  if (!arguments.has_nonfinite()) return inferable_from_json(json);
  return from_options_of<
      WeightsPOTInferableQuantizer, WeightsSymmetricInferableQuantizer, WeightsUniformInferableQuantizer,
      WeightsLUTPOTInferableQuantizer, WeightsLUTSymmetricInferableQuantizer, ActivationPOTInferableQuantizer,
      ActivationSymmetricInferableQuantizer, ActivationUniformInferableQuantizer, ActivationLutPOTInferableQuantizer>(
      arguments.at("class").string(), arguments);
}

TrainablePtr construct(const TrainableSpec& spec) {
  for (const TrainableEntry& entry : trainable_quantizers()) {
    if (entry.class_name != spec.class_name) continue;
    if (spec.weights && entry.weights) return entry.weights(spec.weights_config, spec.freeze);
    if (!spec.weights && entry.activation) return entry.activation(spec.activation_config, spec.freeze);
    fail<ValueError>(entry.class_name, " has no constructor that takes a configuration of ",
                     spec.weights ? "weights" : "activations");
  }
  throw Difference{message("there is no trainable quantizer ", spec.class_name)};
}

InferablePtr with_reference_zero_point(const BaseInferableQuantizer& quantizer) {
  const auto* uniform = dynamic_cast<const WeightsUniformInferableQuantizer*>(&quantizer);
  if (!uniform) return quantizer.clone();
  auto options = uniform->options();
  options.zero_point = ZeroPointRule::reference;
  return std::make_unique<WeightsUniformInferableQuantizer>(options);
}

Refusal refused_on_purpose(std::string_view json) {
  const Node arguments = Node::parse(json, "constructor arguments");
  int bits = 8;
  bool is_signed = true;
  std::vector<double> threshold, min, max;
  assign(bits, arguments, "num_bits");
  assign(is_signed, arguments, "signed");
  if (bits < 1 || bits > 16) return Refusal::must;
  assign(threshold, arguments, "threshold");
  assign(min, arguments, "min_range");
  assign(max, arguments, "max_range");
  Refusal worst = Refusal::no;
  for (const double t : threshold) worst = std::max(worst, refused_threshold(t, bits, is_signed));
  if (min.empty() || max.empty()) return worst;
  for (std::size_t c = 0; c < std::max(min.size(), max.size()); ++c)
    worst = std::max(worst, refused_range(min[std::min(c, min.size() - 1)], max[std::min(c, max.size() - 1)], bits));
  return worst;
}

}  // namespace bitgrad::golden::detail
