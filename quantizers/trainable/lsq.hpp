// Learned step size quantization as published: Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned step size
// quantization", ICLR 2020. What is learned is the step itself (equations 1 to 3); its gradient is scaled by
// 1/sqrt(elements * Qp) (section 2.2). Three things go beyond the paper, so that what is trained is what is converted:
// - the step cannot become zero or negative: the forward pass takes max(parameter, start * 2^-16), the gradient passes
//   as if it had taken the parameter;
// - POWER_OF_TWO: the step is 2^round(log2 parameter), the rounding of the exponent straight-through;
// - UNIFORM: a second parameter, the real value of code 0, gives the zero point round(-offset / step) in 0..Qp,
//   rounding and limits straight-through (the offset of Bhalgat et al., "LSQ+", CVPR workshops 2020, section 3.1,
//   snapped so that zero is on the grid).
#pragma once

#include <bitgrad/quantizers/trainable/detail/parts.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

namespace bitgrad {
namespace lsq {

/// What both classes below are made of: starting values, and how parameters become a grid.
class LearnedStep {
 public:
  LearnedStep(const BaseQuantizerConfig& config, QuantizationTarget target, std::string_view class_name);

  /// "scale", and for UNIFORM "offset", registered as NAME_scale and NAME_offset.
  void create_variables(BaseTrainableQuantizer& owner, std::string_view name, bool activation) const;
  /// Quantizes x with the owner's variables; `elements` is the number that shares one step.
  Variable quantize(const BaseTrainableQuantizer& owner, const Variable& x, Index elements) const;
  /// Of the current values, for conversion: the threshold, or for UNIFORM the range.
  Tensor threshold(const BaseTrainableQuantizer& owner) const;
  detail::ConfigRange range(const BaseTrainableQuantizer& owner) const;

  bool uniform() const { return start_offset_.defined(); }
  const Tensor& start() const { return start_step_; }

 private:
  struct Learned {
    Variable step, zero_point;
  };
  Learned learned(const Variable& step, const Variable& offset, double factor) const;
  Learned current(const BaseTrainableQuantizer& owner) const;
  detail::ConfigRange range_of(const Learned& learned) const;
  Variable on_grid(const Learned& learned) const;

  QuantizationTarget target_;
  QuantizationMethod method_;
  int bits_;
  detail::Levels levels_;
  Tensor start_step_, start_offset_, floor_;  // float64; the offset only for UNIFORM
};

}  // namespace lsq

/// Weights: one step per tensor or channel, shared by all weights of the channel.
class LearnedStepWeightsQuantizer
    : public TrainableQuantizer<LearnedStepWeightsQuantizer, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Weights,
      {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC, QuantizationMethod::UNIFORM}, "lsq");

  /// Starts from "threshold" (finite, positive) or, for UNIFORM, "range_min" < "range_max". ValueError otherwise.
  explicit LearnedStepWeightsQuantizer(const TrainableQuantizerWeightsConfig& config, bool freeze_quant_params = false);
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override;
  Variable operator()(const Variable& x, bool training) override;
  InferablePtr convert2inferable() const override;

 private:
  lsq::LearnedStep step_;
};

/// Activations: one step per tensor; the elements that count are those of one sample (the first axis holds the batch).
class LearnedStepActivationQuantizer
    : public TrainableQuantizer<LearnedStepActivationQuantizer, TrainableQuantizerActivationConfig> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Activation,
      {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC, QuantizationMethod::UNIFORM}, "lsq");

  /// As for weights; "is_signed" beside "threshold".
  explicit LearnedStepActivationQuantizer(const TrainableQuantizerActivationConfig& config,
                                          bool freeze_quant_params = false);
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override;
  Variable operator()(const Variable& x, bool training) override;
  InferablePtr convert2inferable() const override;

 private:
  lsq::LearnedStep step_;
};

}  // namespace bitgrad
