// Batch normalisation as it ships: folded into the weight scales and an integer bias.
#pragma once

#include <vector>

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/layers/batch_norm.hpp>

namespace bitgrad {

/// Smallest gain a channel may have; keeps scale * gain and the integer bias in range.
inline constexpr float minimum_gain = 1e-4F;

/// The affine map x * gain + offset that batch normalisation is in inference.
struct BatchNormFold {
  /// g = max(fl32(gamma / sqrt(variance + epsilon)), minimum_gain), fl32 being x rounded to float32
  std::vector<float> gain;
  std::vector<float> offset;  ///< beta - mean * g, plus bias * g where the layer has a bias
};

/// All tensors float32 [channels]; `bias` may be undefined. Gains are floored only (negative gammas are negated away
/// when quantization starts), see architecture.md. The arithmetic: sqrt and quotient in float32, offset in double
/// rounded once. ShapeError for vectors that do not fit, ValueError naming the channel for a variance + epsilon that is
/// not positive and for a gamma that is NaN.
BatchNormFold fold_batch_norm(const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& variance,
                              float epsilon, const Tensor& bias);
/// The same of a layer's parameters and moving statistics.
BatchNormFold fold_batch_norm(const BatchNorm& batch_norm, const Tensor& bias);

/// The integer a bias becomes: half_even(offset / accumulator_scale), the quotient in double. accumulator_scale is
/// fl32(input scale * weight scale), the weight scale being fl32(s_w * gain) where there is a fold; offset is the
/// fold's, or the layer's bias. Whether it fits int32 is the caller's to check.
double bias_level(float offset, float accumulator_scale);

}  // namespace bitgrad
