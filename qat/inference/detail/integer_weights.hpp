// From a layer's float weights to the integers it ships.
#pragma once

#include <bitgrad/qat/inference/detail/recorded.hpp>

namespace bitgrad::inference {

/// The real bounds that the activations behind an operation leave: min(max(x, low), high).
struct RealRange {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();

  void clamp(float to_low, float to_high);
};
/// The codes of a grid inside the range: first lo, then hi.
std::pair<std::int32_t, std::int32_t> code_range(const Grid& grid, const RealRange& range);

/// Codes, folded scales, int32 bias, multipliers and bounds of a layer with a quantized kernel behind an input on a
/// grid. ValueError naming layer and channel for a scale that is not finite and positive, a bias or an accumulator that
/// does not fit int32; NotImplementedError for a kernel whose scales belong to another axis than the output channels.
IntegerWeights integer_weights(const std::string& layer, const RecordedLinear& linear,
                               const RecordedBatchNorm* batch_norm, const Grid& input,
                               const std::optional<Grid>& output, const RealRange& range);

/// What batch normalisation is where nothing is folded: gain = fl32(gamma / sqrt(variance + epsilon)), offset = beta -
/// mean * gain.
FloatBatchNorm float_batch_norm(const RecordedBatchNorm& batch_norm);

}  // namespace bitgrad::inference
