#include <bitgrad/quantizers/inferable/uniform.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad {
namespace {

void check_range(double min, double max, std::size_t c, std::string_view type) {
  const float width = static_cast<float>(max) - static_cast<float>(min);
  if (!std::isfinite(width) || !(width > 0))
    fail<ValueError>(type, ": range ", c, " is [", min, ", ", max,
                     "], expected finite numbers, min < max, and a finite width in float32");
}

/// A zero point; what is no level of any grid (NaN, or far outside) becomes one that no grid accepts.
std::int32_t zero_point_of(double steps) {
  return std::abs(steps) < 0x1p20 ? static_cast<std::int32_t>(-steps) : std::numeric_limits<std::int32_t>::min();
}

/// `step` is one of the two functions below.
template <class Step>
Grid uniform_grid(int bits, const std::vector<double>& min, const std::vector<double>& max, std::optional<int> axis,
                  std::string_view type, Step step) {
  detail::check_bits(bits, type);
  if (min.size() != max.size() && min.size() != 1 && max.size() != 1)
    fail<ValueError>(type, ": min_range has ", min.size(), " elements and max_range ", max.size(),
                     ", expected as many, or one that serves all channels");
  Grid grid{bits, 0, (1 << bits) - 1, {}, {}, axis};
  for (std::size_t c = 0; c < std::max(min.size(), max.size()); ++c) {
    const double low = min[min.size() == 1 ? 0 : c];
    const double high = max[max.size() == 1 ? 0 : c];
    check_range(low, high, c, type);
    const UniformStep s = step(static_cast<float>(low), static_cast<float>(high));
    if (!(s.scale > 0) || !std::isfinite(s.scale) || s.zero_point < 0 || s.zero_point > grid.hi)
      fail<ValueError>(type, ": range ", c, " is [", low, ", ", high, "], too narrow or too wide for steps in float32");
    grid.scale.push_back(s.scale);
    grid.zero_point.push_back(s.zero_point);
  }
  return grid;
}

Grid weights_grid(const WeightsUniformInferableQuantizer::Options& options, std::string_view type) {
  detail::check_count(options.min_range.size(), options.per_channel, options.channel_axis, type, "min_range");
  detail::check_count(options.max_range.size(), options.per_channel, options.channel_axis, type, "max_range");
  return uniform_grid(
      options.num_bits, options.min_range, options.max_range, options.per_channel ? options.channel_axis : std::nullopt,
      type, [&](float min, float max) { return uniform_weights_step(min, max, options.num_bits, options.zero_point); });
}

Grid activation_grid(const ActivationUniformInferableQuantizer::Options& options, std::string_view type) {
  detail::check_count(options.min_range.size(), false, {}, type, "min_range");
  detail::check_count(options.max_range.size(), false, {}, type, "max_range");
  return uniform_grid(options.num_bits, options.min_range, options.max_range, {}, type,
                      [&](float min, float max) { return uniform_activation_step(min, max, options.num_bits); });
}

std::string ranges(const std::vector<double>& min, const std::vector<double>& max) {
  return message("min_range ", detail::short_list(min), ", max_range ", detail::short_list(max));
}

}  // namespace

UniformStep uniform_weights_step(float min, float max, int bits, ZeroPointRule rule) {
  const Range<float> range = adjust_range_to_include_zero(min, max, bits);
  const float scale = (range.max - range.min) / static_cast<float>((1 << bits) - 1);
  const float steps = range.min / scale;
  return {scale, zero_point_of(static_cast<double>(rule == ZeroPointRule::reference ? std::trunc(steps)
                                                                                    : std::nearbyint(steps)))};
}

UniformStep uniform_activation_step(float min, float max, int bits) {
  const Range<float> range = adjust_range_to_include_zero(min, max, bits);
  const double scale = (static_cast<double>(range.max) - static_cast<double>(range.min)) / ((1 << bits) - 1);
  return {static_cast<float>(scale), zero_point_of(std::nearbyint(range.min / scale))};
}

WeightsUniformInferableQuantizer::WeightsUniformInferableQuantizer(Options options)
    : GridInferableQuantizer(weights_grid(options, name), name), options_(std::move(options)) {}

std::string WeightsUniformInferableQuantizer::describe() const {
  return message(name, ": ", bits(), " bits, ", ranges(options_.min_range, options_.max_range),
                 detail::channels_text(grid()),
                 options_.zero_point == ZeroPointRule::reference ? ", truncated zero point" : "");
}

std::string WeightsUniformInferableQuantizer::to_json() const {
  return JsonWriter()
      .add("class", name)
      .add("num_bits", options_.num_bits)
      .add("min_range", options_.min_range)
      .add("max_range", options_.max_range)
      .add("per_channel", options_.per_channel)
      .add("channel_axis", options_.channel_axis)
      .add("zero_point", options_.zero_point == ZeroPointRule::reference ? "reference" : "rounded")
      .text();
}

InferablePtr WeightsUniformInferableQuantizer::from_json(std::string_view json) {
  JsonReader reader(json, name);
  reader.string("class");
  Options options{.num_bits = reader.integer("num_bits"),
                  .min_range = reader.numbers("min_range"),
                  .max_range = reader.numbers("max_range"),
                  .per_channel = reader.boolean("per_channel"),
                  .channel_axis = reader.optional_integer("channel_axis")};
  const std::string rule = reader.string("zero_point", "rounded");
  if (rule != "rounded" && rule != "reference")
    fail<ValueError>(name, ": zero_point is \"", rule, "\", expected \"rounded\" or \"reference\"");
  options.zero_point = rule == "reference" ? ZeroPointRule::reference : ZeroPointRule::rounded;
  reader.finish();
  return std::make_unique<WeightsUniformInferableQuantizer>(std::move(options));
}

ActivationUniformInferableQuantizer::ActivationUniformInferableQuantizer(Options options)
    : GridInferableQuantizer(activation_grid(options, name), name), options_(std::move(options)) {}

std::string ActivationUniformInferableQuantizer::describe() const {
  return message(name, ": ", bits(), " bits, ", ranges(options_.min_range, options_.max_range));
}

std::string ActivationUniformInferableQuantizer::to_json() const {
  return JsonWriter()
      .add("class", name)
      .add("num_bits", options_.num_bits)
      .add("min_range", options_.min_range)
      .add("max_range", options_.max_range)
      .text();
}

InferablePtr ActivationUniformInferableQuantizer::from_json(std::string_view json) {
  JsonReader reader(json, name);
  reader.string("class");
  Options options{.num_bits = reader.integer("num_bits"),
                  .min_range = reader.numbers("min_range"),
                  .max_range = reader.numbers("max_range")};
  reader.finish();
  return std::make_unique<ActivationUniformInferableQuantizer>(std::move(options));
}

}  // namespace bitgrad
