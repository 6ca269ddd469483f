#include <bitgrad/quantizers/inferable/lut.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>
#include <bitgrad/quantizers/inferable/grid_quantizer.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad {
namespace {

using WeightsOptions = WeightsLUTSymmetricInferableQuantizer::Options;
using ActivationOptions = ActivationLutPOTInferableQuantizer::Options;

/// Weights: thresholds are float32 from the start, and so is their sum with eps.
std::vector<detail::LutThreshold> weights_thresholds(const WeightsOptions& options, std::string_view type) {
  detail::check_count(options.threshold.size(), options.per_channel, options.channel_axis, type, "threshold");
  detail::check_epsilon(options.eps, type);
  std::vector<detail::LutThreshold> thresholds;
  for (const double threshold : options.threshold) {
    const auto t = static_cast<float>(threshold);
    thresholds.push_back({t, t + static_cast<float>(options.eps)});
  }
  return thresholds;
}

/// The axis of the channels counted from the end; none where one threshold serves all.
std::optional<int> axis_from_end(const WeightsOptions& options, std::string_view type) {
  if (!options.per_channel) return {};
  if (!options.input_rank) fail<ValueError>(type, ": per_channel without an input_rank");
  const int rank = *options.input_rank, axis = *options.channel_axis;
  if (rank < 1 || rank > Shape::max_rank)
    fail<ValueError>(type, ": input_rank is ", rank, ", expected 1 to ", Shape::max_rank);
  if (axis < -rank || axis >= rank)
    fail<ValueError>(type, ": channel_axis is ", axis, ", expected ", -rank, " to ", rank - 1, " for input_rank ",
                     rank);
  if (options.threshold.size() == 1) return {};
  return axis < 0 ? axis : axis - rank;
}

/// Activations: the sum with eps is taken in double.
std::vector<detail::LutThreshold> activation_threshold(const ActivationOptions& options, std::string_view type) {
  detail::check_count(options.threshold.size(), false, {}, type, "threshold");
  detail::check_epsilon(options.eps, type);
  detail::require_powers_of_two(options.threshold, type);
  const double t = options.threshold[0];
  return {{static_cast<float>(t), static_cast<float>(t + options.eps)}};
}

}  // namespace

WeightsLUTSymmetricInferableQuantizer::WeightsLUTSymmetricInferableQuantizer(Options options, std::string_view type)
    : LutInferableQuantizer({options.num_bits, options.lut_values, options.lut_values_bitwidth, true},
                            weights_thresholds(options, type), axis_from_end(options, type), type),
      options_(std::move(options)) {}

Grid WeightsLUTSymmetricInferableQuantizer::grid() const {
  const LookupTable levels = *table();
  const std::int32_t m = 1 << (levels.bits - 1);
  return {levels.bits, -m, m - 1, levels.scale, std::vector<std::int32_t>(levels.scale.size(), 0), levels.channel_axis};
}

std::string WeightsLUTSymmetricInferableQuantizer::describe() const {
  return message(type(), ": ", bits(), " bits, table ",
                 detail::table_text(options_.lut_values, options_.lut_values_bitwidth), ", threshold ",
                 detail::short_list(options_.threshold), detail::channels_text(grid()));
}

std::string WeightsLUTSymmetricInferableQuantizer::to_json() const {
  return JsonWriter()
      .add("class", type())
      .add("num_bits", options_.num_bits)
      .add("lut_values", options_.lut_values)
      .add("threshold", options_.threshold)
      .add("per_channel", options_.per_channel)
      .add("channel_axis", options_.channel_axis)
      .add("input_rank", options_.input_rank)
      .add("lut_values_bitwidth", options_.lut_values_bitwidth)
      .add("eps", options_.eps)
      .text();
}

WeightsLUTSymmetricInferableQuantizer::Options WeightsLUTSymmetricInferableQuantizer::read_options(
    std::string_view json, std::string_view type) {
  JsonReader reader(json, type);
  reader.string("class");
  Options options{.num_bits = reader.integer("num_bits"),
                  .lut_values = reader.numbers("lut_values"),
                  .threshold = reader.numbers("threshold"),
                  .per_channel = reader.boolean("per_channel"),
                  .channel_axis = reader.optional_integer("channel_axis"),
                  .input_rank = reader.optional_integer("input_rank")};
  options.lut_values_bitwidth = reader.integer("lut_values_bitwidth", options.lut_values_bitwidth);
  options.eps = reader.number("eps", options.eps);
  reader.finish();
  return options;
}

InferablePtr WeightsLUTSymmetricInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<WeightsLUTSymmetricInferableQuantizer>(read_options(json, name));
}

WeightsLUTPOTInferableQuantizer::WeightsLUTPOTInferableQuantizer(Options options)
    : WeightsLUTSymmetricInferableQuantizer(std::move(options), name) {
  detail::require_powers_of_two(this->options().threshold, name);
}

InferablePtr WeightsLUTPOTInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<WeightsLUTPOTInferableQuantizer>(read_options(json, name));
}

ActivationLutPOTInferableQuantizer::ActivationLutPOTInferableQuantizer(Options options)
    : LutInferableQuantizer({options.num_bits, options.lut_values, options.lut_values_bitwidth, options.is_signed},
                            activation_threshold(options, name), {}, name),
      options_(std::move(options)) {}

Grid ActivationLutPOTInferableQuantizer::grid() const {
  fail<NotImplementedError>(name,
                            ": the levels of a look-up table are unevenly spaced, there is no scale and zero point; "
                            "integer graphs need activations that are power-of-two, symmetric or uniform");
}

std::string ActivationLutPOTInferableQuantizer::describe() const {
  return message(name, ": ", bits(), " bits, table ",
                 detail::table_text(options_.lut_values, options_.lut_values_bitwidth), ", threshold ",
                 detail::short_list(options_.threshold), options_.is_signed ? ", signed" : ", unsigned");
}

std::string ActivationLutPOTInferableQuantizer::to_json() const {
  return JsonWriter()
      .add("class", name)
      .add("num_bits", options_.num_bits)
      .add("lut_values", options_.lut_values)
      .add("threshold", options_.threshold)
      .add("signed", options_.is_signed)
      .add("lut_values_bitwidth", options_.lut_values_bitwidth)
      .add("eps", options_.eps)
      .text();
}

InferablePtr ActivationLutPOTInferableQuantizer::from_json(std::string_view json) {
  JsonReader reader(json, name);
  reader.string("class");
  Options options{.num_bits = reader.integer("num_bits"),
                  .lut_values = reader.numbers("lut_values"),
                  .threshold = reader.numbers("threshold"),
                  .is_signed = reader.boolean("signed")};
  options.lut_values_bitwidth = reader.integer("lut_values_bitwidth", options.lut_values_bitwidth);
  options.eps = reader.number("eps", options.eps);
  reader.finish();
  return std::make_unique<ActivationLutPOTInferableQuantizer>(std::move(options));
}

}  // namespace bitgrad
