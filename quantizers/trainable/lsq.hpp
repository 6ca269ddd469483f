// Learned step size quantization as published: Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned step size
// quantization", ICLR 2020. What is learned is the step itself: equations 1 to 3, its gradient scaled by
// 1/sqrt(elements * Qp) (section 2.2). Beyond the paper: a step cannot become zero or negative
// (detail/learned_step.hpp), and starts where calibration puts it. Steps that are powers of two: lsq_pot.hpp. Grids
// with an offset: lsq_plus.hpp.
#pragma once

#include <bitgrad/quantizers/trainable/detail/learned_step.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

namespace bitgrad {

/// Weights: one step per tensor or channel, shared by all weights of the channel. Variable "scale".
class LearnedStepWeightsQuantizer
    : public TrainableQuantizer<LearnedStepWeightsQuantizer, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "lsq");

  /// Starts from "threshold", finite and positive. ValueError otherwise.
  explicit LearnedStepWeightsQuantizer(const TrainableQuantizerWeightsConfig& config, bool freeze_quant_params = false);
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override;
  Variable operator()(const Variable& x, bool training) override;
  InferablePtr convert2inferable() const override;

 private:
  detail::LearnedStep step_;
};

/// Activations: one step per tensor; the elements that count are those of one sample (the first axis holds the batch).
class LearnedStepActivationQuantizer
    : public TrainableQuantizer<LearnedStepActivationQuantizer, TrainableQuantizerActivationConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::SYMMETRIC}, "lsq");

  /// As for weights; "is_signed" beside "threshold".
  explicit LearnedStepActivationQuantizer(const TrainableQuantizerActivationConfig& config,
                                          bool freeze_quant_params = false);
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override;
  Variable operator()(const Variable& x, bool training) override;
  InferablePtr convert2inferable() const override;

 private:
  detail::LearnedStep step_;
};

}  // namespace bitgrad
