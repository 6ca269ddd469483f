// LSQ+: Bhalgat, Lee, Nagel, Blankevoort, Kwak, "LSQ+: Improving low-bit quantization through learnable offsets and
// better initialization", CVPR workshops 2020. Activations learn an offset beta beside the step s (section 3):
//   y = clamp(round((x - beta) / s)) s + beta
//   dy/ds = c - u inside the clamp, c outside          dy/dbeta = 0 inside, 1 outside
// with u = (x - beta) / s and c its clamped level. Weights are symmetric and start at the larger of |mean - 3 sigma|
// and |mean + 3 sigma| (same section). Activations start where the squared error is least, as all calibrated ones do.
//
// A real offset has no integer form. So beta is taken as -z s with z = round(-beta / s) within the codes,
// straight-through: the same gradients, and a grid (s, z) that ships. Beyond the paper, weights may have an offset, too
// (UNIFORM); they then start at [mean - 3 sigma, mean + 3 sigma], zero included.
#pragma once

#include <bitgrad/quantizers/trainable/detail/learned_step_quantizer.hpp>

namespace bitgrad {

/// Weights: one step per tensor or channel, for UNIFORM an offset each. Variables "scale", "offset".
class LsqPlusWeightsQuantizer : public detail::LearnedStepWeights<LsqPlusWeightsQuantizer> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC, QuantizationMethod::UNIFORM}, "lsq-plus");

  /// The paper's start for a float32 weight, per tensor or along the config's channels axis; sigma is the deviation of
  /// the weights that share a step. All zeros start at 1. ValueError for no weights, or one that is not finite.
  static QuantizationParams start_from(const Tensor& weight, const TrainableQuantizerWeightsConfig& config);

  /// Starts from "threshold" (finite, positive) or, for UNIFORM, "range_min" < "range_max". ValueError otherwise.
  using LearnedStepQuantizer::LearnedStepQuantizer;
};

/// Activations: a step and an offset per tensor.
class LsqPlusActivationQuantizer : public detail::LearnedStepActivation<LsqPlusActivationQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::UNIFORM}, "lsq-plus");

  /// Starts from "range_min" < "range_max", widened to contain zero. ValueError otherwise.
  using LearnedStepQuantizer::LearnedStepQuantizer;
};

}  // namespace bitgrad
