#include <bitgrad/quantizers/trainable/detail/parts.hpp>

#include <cmath>

#include <bitgrad/quantizers/detail/channels.hpp>

namespace bitgrad::detail {
namespace {

std::vector<double> flat(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float64);
  return {values.data<double>(), values.data<double>() + values.size()};
}

}  // namespace

Levels symmetric_levels(int bits, bool is_signed) {
  const double count = 1 << (is_signed ? bits - 1 : bits);
  return {is_signed ? -count : 0, count - 1, count};
}

Levels uniform_levels(int bits) {
  const double count = 1 << bits;
  return {0, count - 1, count};
}

bool is_signed(const BaseQuantizerConfig& config) {
  const Tensor& value = config.param("is_signed");
  if (value.size() != 1 || (value.item() != 0 && value.item() != 1))
    fail<ValueError>("quantization_params: is_signed is ", value, ", expected 0 or 1");
  return value.item() == 1;
}

Tensor config_values(const BaseQuantizerConfig& config, const std::string& key, std::string_view class_name) {
  const Tensor& given = config.param(key);
  if (given.size() == 0 || (given.dtype() != DType::float32 && given.dtype() != DType::float64))
    fail<ValueError>(class_name, ": ", key, " is ", given.defined() ? to_string(given) : "undefined",
                     ", expected a float64 tensor of at least one element");
  Tensor values = given.to(DType::float64);
  for (const double value : flat(values))
    if (!std::isfinite(value)) fail<ValueError>(class_name, ": ", key, " is ", value, ", expected finite numbers");
  return values;
}

Tensor config_threshold(const BaseQuantizerConfig& config, std::string_view class_name, bool floored) {
  Tensor threshold = config_values(config, "threshold", class_name);
  for (const double value : flat(threshold))
    if (value < 0 || (value == 0 && !floored))
      fail<ValueError>(class_name, ": threshold is ", value, ", expected positive numbers");
  return threshold;
}

ConfigRange config_range(const BaseQuantizerConfig& config, std::string_view class_name) {
  ConfigRange range{config_values(config, "range_min", class_name), config_values(config, "range_max", class_name)};
  if (range.min.shape() != range.max.shape())
    fail<ValueError>(class_name, ": range_min has shape ", range.min.shape(), " and range_max ", range.max.shape(),
                     ", expected one shape");
  const auto min = flat(range.min), max = flat(range.max);
  for (std::size_t c = 0; c < min.size(); ++c)
    if (!(min[c] < max[c]))
      fail<ValueError>(class_name, ": range ", c, " is [", min[c], ", ", max[c], "], expected min < max");
  return range;
}

Tensor one_element(const Tensor& value, std::string_view key, std::string_view class_name) {
  if (value.size() != 1)
    fail<ValueError>(class_name, ": ", key, " has ", value.size(), " elements, expected 1 for activations");
  return value.reshape(Shape{1});
}

ParameterPtr quantizer_variable(std::string name, const Tensor& value, bool trainable) {
  return std::make_shared<Parameter>(std::move(name), value.to(DType::float32), ParameterGroup::qparams, trainable);
}

void check_weight_parameter(const TrainableQuantizerWeightsConfig& config, const Tensor& parameter,
                            std::string_view class_name) {
  if (!config.weights_per_channel_threshold && parameter.size() != 1)
    fail<ValueError>(class_name, ": ", parameter.size(),
                     " thresholds or ranges, expected 1 as weights_per_channel_threshold is false");
}

void check_weight_shape(const TrainableQuantizerWeightsConfig& config, const std::optional<Shape>& shape,
                        const Tensor& parameter, std::string_view name) {
  if (!shape) return;
  const std::string what = message("quantizer of ", name);
  const kernels::ChannelLayout layout = kernels::per_channel(*shape, parameter.shape(), what);
  if (!config.weights_per_channel_threshold) return;
  const kernels::ChannelLayout wanted = channel_layout(*shape, config.weights_channels_axis, parameter.size(), what);
  if (parameter.size() > 1 && layout.inner != wanted.inner)
    fail<ShapeError>(what, ": parameters of shape ", parameter.shape(), " do not lie along channels axis ",
                     config.weights_channels_axis, " of the weight of shape ", *shape);
}

}  // namespace bitgrad::detail
