// Learned step size quantization as published: Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned step size
// quantization", ICLR 2020. What is learned is the step itself: equations 1 to 3, its gradient scaled by
// 1/sqrt(elements * Qp) (section 2.2). Beyond the paper: a step cannot become zero or negative
// (detail/learned_step.hpp), and starts where calibration puts it. Steps that are powers of two: lsq_pot.hpp. Grids
// with an offset: lsq_plus.hpp.
#pragma once

#include <bitgrad/quantizers/trainable/detail/learned_step_quantizer.hpp>

namespace bitgrad {

/// Weights: one step per tensor or channel, shared by all weights of the channel. Variable "scale".
class LearnedStepWeightsQuantizer : public detail::LearnedStepWeights<LearnedStepWeightsQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "lsq");

  /// Starts from "threshold", finite and positive. ValueError otherwise.
  using LearnedStepQuantizer::LearnedStepQuantizer;
};

/// Activations: one step per tensor; the elements that count are those of one sample (the first axis holds the batch).
class LearnedStepActivationQuantizer : public detail::LearnedStepActivation<LearnedStepActivationQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::SYMMETRIC}, "lsq");

  /// As for weights; "is_signed" beside "threshold".
  using LearnedStepQuantizer::LearnedStepQuantizer;
};

}  // namespace bitgrad
