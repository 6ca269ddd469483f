#include <bitgrad/qat/inference/detail/integer_weights.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/qat/batch_norm_fold.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>

namespace bitgrad::inference {
namespace {

/// Gain and offset of the layer's accumulator: those of the fold, or 1 and the bias.
BatchNormFold fold_of(const RecordedLinear& linear, const RecordedBatchNorm* bn, std::size_t channels) {
  if (bn) return fold_batch_norm(bn->gamma, bn->beta, bn->mean, bn->variance, bn->epsilon, linear.bias);
  BatchNormFold fold{std::vector<float>(channels, 1.0F), std::vector<float>(channels, 0.0F)};
  if (linear.bias.defined()) std::ranges::copy(linear.bias.span<float>(), fold.offset.begin());
  return fold;
}

/// The kernel's grid after the fold: one scale per output channel where gains differ.
Grid folded_grid(const std::string& layer, const RecordedLinear& linear, const RecordedBatchNorm* bn,
                 const BatchNormFold& fold) {
  Grid grid = *linear.grid;
  const int last = linear.kernel.rank() - 1;
  if (grid.per_channel() && normalize_axis(*grid.channel_axis, linear.kernel.rank(), layer) != last)
    fail<NotImplementedError>("layer \"", layer, "\": the kernel has scales along axis ", *grid.channel_axis,
                              "; an integer layer needs them along the output channels (axis -1) or one for all");
  if (grid.per_channel()) grid.channel_axis = -1;
  if (!bn) return grid;
  if (!grid.per_channel()) {
    grid.scale.resize(fold.gain.size(), grid.scale[0]);
    grid.zero_point.resize(fold.gain.size(), grid.zero_point[0]);
    grid.channel_axis = -1;
  }
  for (std::size_t c = 0; c < fold.gain.size(); ++c) grid.scale[c] *= fold.gain[c];
  return grid;
}

float checked_scale(float scale, const std::string& layer, std::size_t channel, std::string_view what) {
  if (!std::isfinite(scale) || !(scale > 0.0F))
    fail<ValueError>("layer \"", layer, "\": ", what, " of channel ", channel, " is ", scale,
                     ", expected a finite positive number");
  return scale;
}

std::int32_t integer_bias(float offset, float scale, const std::string& layer, std::size_t channel) {
  const double level = bias_level(offset, scale);
  if (!(std::abs(level) <= std::numeric_limits<std::int32_t>::max()))
    fail<ValueError>("layer \"", layer, "\": the bias of channel ", channel, " is ", level, " in units of ", scale,
                     " (input scale * weight scale), which does not fit int32");
  return static_cast<std::int32_t>(level);
}

void check_accumulators(const std::string& layer, const IntegerWeights& weights, const Grid& input) {
  const std::vector<ChannelBounds> bounds = accumulator_bounds(weights, input);
  for (std::size_t c = 0; c < bounds.size(); ++c)
    if (!fits_int32(bounds[c], weights.bias.data<std::int32_t>()[c]))
      fail<ValueError>("layer \"", layer, "\": the accumulator of channel ", c, " can reach ",
                       std::max(bounds[c].highest, -bounds[c].lowest), " with bias ",
                       weights.bias.data<std::int32_t>()[c], ", which does not fit int32; use fewer bits");
}

}  // namespace

void RealRange::clamp(float to_low, float to_high) {
  low = std::min(std::max(low, to_low), to_high);
  high = std::min(std::max(high, to_low), to_high);
}

std::pair<std::int32_t, std::int32_t> code_range(const Grid& grid, const RealRange& range) {
  const std::int32_t zero = grid.zero_point[0];
  const auto code = [&](float bound) {
    const float level =
        std::clamp(bound / grid.scale[0], static_cast<float>(grid.lo - zero), static_cast<float>(grid.hi - zero));
    return static_cast<std::int32_t>(std::nearbyint(level)) + zero;
  };
  return {code(range.low), code(range.high)};
}

IntegerWeights integer_weights(const std::string& layer, const RecordedLinear& linear,
                               const RecordedBatchNorm* batch_norm, const Grid& input,
                               const std::optional<Grid>& output, const RealRange& range) {
  const std::size_t channels = static_cast<std::size_t>(linear.kernel.dim(-1));
  const BatchNormFold fold = fold_of(linear, batch_norm, channels);
  IntegerWeights weights;
  weights.codes = linear.codes;
  weights.grid = folded_grid(layer, linear, batch_norm, fold);
  weights.bias = Tensor({static_cast<Index>(channels)}, DType::int32);
  for (std::size_t c = 0; c < channels; ++c) {
    const float weight_scale =
        checked_scale(weights.grid.scale[weights.grid.scale.size() == 1 ? 0 : c], layer, c, "the weight scale");
    const float scale = checked_scale(input.scale[0] * weight_scale, layer, c, "input scale * weight scale");
    weights.bias.data<std::int32_t>()[c] = integer_bias(fold.offset[c], scale, layer, c);
    weights.multiplier.push_back(output ? checked_scale(scale / output->scale[0], layer, c, "the multiplier") : scale);
  }
  if (output) std::tie(weights.clamp_lo, weights.clamp_hi) = code_range(*output, range);
  check_accumulators(layer, weights, input);
  return weights;
}

FloatBatchNorm float_batch_norm(const RecordedBatchNorm& bn) {
  FloatBatchNorm result{Tensor(bn.gamma.shape()), Tensor(bn.gamma.shape())};
  for (Index c = 0; c < bn.gamma.size(); ++c) {
    const float gain = bn.gamma.data<float>()[c] / std::sqrt(bn.variance.data<float>()[c] + bn.epsilon);
    result.gain.data<float>()[c] = gain;
    result.offset.data<float>()[c] =
        static_cast<float>(bn.beta.data<float>()[c] - static_cast<double>(bn.mean.data<float>()[c]) * gain);
  }
  return result;
}

}  // namespace bitgrad::inference
