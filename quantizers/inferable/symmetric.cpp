#include <bitgrad/quantizers/inferable/symmetric.hpp>

#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad {
namespace {

/// The step is divided in double and rounded once.
Grid symmetric_grid(int bits, bool is_signed, const std::vector<double>& threshold, std::optional<int> axis,
                    std::string_view type) {
  detail::check_bits(bits, type);
  const std::int32_t levels = 1 << (is_signed ? bits - 1 : bits);
  Grid grid{bits, is_signed ? -levels : 0, levels - 1, {}, {}, axis};
  for (std::size_t c = 0; c < threshold.size(); ++c) {
    const auto scale = static_cast<float>(threshold[c] / levels);
    if (!std::isfinite(threshold[c]) || threshold[c] <= 0 || !std::isfinite(scale) || scale == 0)
      fail<ValueError>(type, ": threshold ", c, " is ", threshold[c],
                       ", expected a finite positive number with a float32 step");
    grid.scale.push_back(scale);
    grid.zero_point.push_back(0);
  }
  return grid;
}

Grid weights_grid(const WeightsSymmetricInferableQuantizer::Options& options, std::string_view type) {
  detail::check_count(options.threshold.size(), options.per_channel, options.channel_axis, type, "threshold");
  return symmetric_grid(options.num_bits, true, options.threshold,
                        options.per_channel ? options.channel_axis : std::nullopt, type);
}

Grid activation_grid(const ActivationSymmetricInferableQuantizer::Options& options, std::string_view type) {
  detail::check_count(options.threshold.size(), false, {}, type, "threshold");
  return symmetric_grid(options.num_bits, options.is_signed, options.threshold, {}, type);
}

}  // namespace

WeightsSymmetricInferableQuantizer::WeightsSymmetricInferableQuantizer(Options options, std::string_view type)
    : GridInferableQuantizer(weights_grid(options, type), type), options_(std::move(options)) {}

std::string WeightsSymmetricInferableQuantizer::describe() const {
  return message(type(), ": ", bits(), " bits, threshold ", detail::short_list(options_.threshold),
                 detail::channels_text(grid()));
}

std::string WeightsSymmetricInferableQuantizer::to_json() const {
  return JsonWriter()
      .add("class", type())
      .add("num_bits", options_.num_bits)
      .add("threshold", options_.threshold)
      .add("per_channel", options_.per_channel)
      .add("channel_axis", options_.channel_axis)
      .text();
}

WeightsSymmetricInferableQuantizer::Options WeightsSymmetricInferableQuantizer::read_options(std::string_view json,
                                                                                             std::string_view type) {
  JsonReader reader(json, type);
  reader.string("class");
  Options options{.num_bits = reader.integer("num_bits"),
                  .threshold = reader.numbers("threshold"),
                  .per_channel = reader.boolean("per_channel"),
                  .channel_axis = reader.optional_integer("channel_axis")};
  reader.finish();
  return options;
}

InferablePtr WeightsSymmetricInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<WeightsSymmetricInferableQuantizer>(read_options(json, name));
}

ActivationSymmetricInferableQuantizer::ActivationSymmetricInferableQuantizer(Options options, std::string_view type)
    : GridInferableQuantizer(activation_grid(options, type), type), options_(std::move(options)) {}

std::string ActivationSymmetricInferableQuantizer::describe() const {
  return message(type(), ": ", bits(), " bits, threshold ", detail::short_list(options_.threshold),
                 options_.is_signed ? ", signed" : ", unsigned");
}

std::string ActivationSymmetricInferableQuantizer::to_json() const {
  return JsonWriter()
      .add("class", type())
      .add("num_bits", options_.num_bits)
      .add("threshold", options_.threshold)
      .add("signed", options_.is_signed)
      .text();
}

ActivationSymmetricInferableQuantizer::Options ActivationSymmetricInferableQuantizer::read_options(
    std::string_view json, std::string_view type) {
  JsonReader reader(json, type);
  reader.string("class");
  Options options{.num_bits = reader.integer("num_bits"),
                  .threshold = reader.numbers("threshold"),
                  .is_signed = reader.boolean("signed")};
  reader.finish();
  return options;
}

InferablePtr ActivationSymmetricInferableQuantizer::from_json(std::string_view json) {
  return std::make_unique<ActivationSymmetricInferableQuantizer>(read_options(json, name));
}

}  // namespace bitgrad
