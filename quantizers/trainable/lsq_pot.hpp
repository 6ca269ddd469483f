// A power-of-two step that is a power of two while it learns. What is learned is the logarithm of the threshold,
// rounded straight-through: Jain, Gural, Wu, Dick, "Trained quantization thresholds for accurate and efficient
// fixed-point inference of deep neural networks" (TQT), MLSys 2020.
// With s = 2^round(log2 t) / K, u = x / s and c = clamp(round(u)):
//   y = s c       dy/dx = 1 where lo <= round(u) <= hi, else 0
//   dy/d(log2 t) = ln(2) s (c - u) where lo <= round(u) <= hi, else ln(2) s c
// (the paper's equations for q, for its gradient by x and by log2 t, in this order). Two things differ from the paper.
// It takes ceil(log2 t); here it is round, half to even: thresholds that calibration hands over are powers of two,
// which lie on the edge of ceil, where a step of any size doubles the grid, and in the middle of round. And the
// gradient of log2 t is scaled by 1/sqrt(elements * Qp), as in lsq.hpp. The gradient of a logarithm is proportional to
// s, so that SGD hardly moves small steps: train with Adam, as the paper does.
#pragma once

#include <bitgrad/quantizers/trainable/detail/learned_step_quantizer.hpp>

namespace bitgrad {

/// Weights: one exponent per tensor or channel. Variable "log2_threshold".
class LsqPotWeightsQuantizer : public detail::LearnedStepWeights<LsqPotWeightsQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::POWER_OF_TWO}, "lsq-pot");

  /// Starts from "threshold", finite and positive; it need not be a power of two. ValueError otherwise.
  using LearnedStepQuantizer::LearnedStepQuantizer;
};

/// Activations: one exponent per tensor.
class LsqPotActivationQuantizer : public detail::LearnedStepActivation<LsqPotActivationQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::POWER_OF_TWO}, "lsq-pot");

  /// As for weights; "is_signed" beside "threshold".
  using LearnedStepQuantizer::LearnedStepQuantizer;
};

}  // namespace bitgrad
