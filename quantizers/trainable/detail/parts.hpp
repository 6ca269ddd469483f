// Parts that trainable quantizers share: checked starting values, bounds, conversions.
#pragma once

#include <optional>
#include <string_view>

#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/quantizers/config.hpp>
#include <bitgrad/quantizers/inferable.hpp>
#include <bitgrad/quantizers/trainable/parts.hpp>

namespace bitgrad::detail {

using bitgrad::Levels;
Levels symmetric_levels(int bits, bool is_signed);
Levels uniform_levels(int bits);

/// "is_signed" of an activation config; ValueError unless it is one element, 0 or 1.
bool is_signed(const BaseQuantizerConfig& config);

/// The parameter as float64. ValueError naming class and parameter for an empty or integer tensor and for elements that
/// are not finite.
Tensor config_values(const BaseQuantizerConfig& config, const std::string& key, std::string_view class_name);
/// "threshold": positive as well; where `floored` (the reference's power-of-two weights) 0 is allowed.
Tensor config_threshold(const BaseQuantizerConfig& config, std::string_view class_name, bool floored = false);
/// "range_min" and "range_max": of equal shapes, min < max everywhere.
struct ConfigRange {
  Tensor min, max;
};
ConfigRange config_range(const BaseQuantizerConfig& config, std::string_view class_name);
/// Throws ValueError unless the one parameter of an activation has one element.
Tensor one_element(const Tensor& value, std::string_view key, std::string_view class_name);

/// A float32 variable of group qparams.
ParameterPtr quantizer_variable(std::string name, const Tensor& value, bool trainable);

/// Throws ValueError when there are several thresholds or ranges although the config says one per tensor.
void check_weight_parameter(const TrainableQuantizerWeightsConfig& config, const Tensor& parameter,
                            std::string_view class_name);
/// Throws ShapeError naming the weight when a parameter does not broadcast against it, or not along its channels axis.
void check_weight_shape(const TrainableQuantizerWeightsConfig& config, const std::optional<Shape>& shape,
                        const Tensor& parameter, std::string_view name);

}  // namespace bitgrad::detail
