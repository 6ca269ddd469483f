// The reference system's learned step size quantizers. They scale gradients by 1/sqrt(hi * number of thresholds) for
// weights and 1/sqrt(hi * number of channels) for activations, where the paper counts elements; see lsq.hpp for the
// paper.
#pragma once

#include <bitgrad/quantizers/trainable/detail/mct_parts.hpp>

namespace bitgrad {

/// y = d clamp(round(x / d)) with d = grad_scale(t / 2^(n-1), f); the gradient passes where the rounded level is in
/// bounds.
class LSQWeightQATQuantizer : public mct::SymmetricWeights<LSQWeightQATQuantizer> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Weights, {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC}, "mct-lsq");
  static constexpr mct::Formulas formulas{.learns = true, .scales_gradient = true};

  /// ValueError for 1 bit, whose highest level 0 makes the gradient scale infinite, and as STEWeightQATQuantizer.
  explicit LSQWeightQATQuantizer(const TrainableQuantizerWeightsConfig& config);
  Variable operator()(const Variable& x, bool training) override;
};

/// y = d clamp(round((x - a) / d)) + a; the offset's gradient is not scaled.
class LSQUniformWeightQATQuantizer : public mct::UniformWeights<LSQUniformWeightQATQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::UNIFORM}, "mct-lsq");
  static constexpr mct::Formulas formulas{.learns = true, .scales_gradient = true};
  static constexpr bool adjusts_at_conversion = true;

  /// As STEUniformWeightQATQuantizer.
  explicit LSQUniformWeightQATQuantizer(const TrainableQuantizerWeightsConfig& config) : UniformWeights(config) {}
  Variable operator()(const Variable& x, bool training) override;
};

/// y = d clamp(round(x / d)) as for weights, with a threshold of one element that learns. The number of channels is the
/// extent of config.channels_axis in the tensor of each call.
class LSQSymmetricActivationTrainableQuantizer
    : public mct::SymmetricActivation<LSQSymmetricActivationTrainableQuantizer> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Activation, {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC}, "mct-lsq");
  static constexpr mct::Formulas formulas{.learns = true, .scales_gradient = true};

  /// ValueError for 1 bit signed, whose highest level 0 makes the gradient scale infinite, and as
  /// STESymmetricActivationTrainableQuantizer; it cannot be frozen.
  explicit LSQSymmetricActivationTrainableQuantizer(const TrainableQuantizerActivationConfig& config);
  Variable operator()(const Variable& x, bool training) final { return quantize_pending(x, training); }
  Variable quantize_pending(const Pending& x, bool training) final;
};

/// y = d clamp(round((x - a) / d)) + a as for weights, with a range of one element each that learns; the number of
/// channels as for the symmetric one.
class LSQUniformActivationTrainableQuantizer : public mct::UniformActivation<LSQUniformActivationTrainableQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::UNIFORM}, "mct-lsq");
  static constexpr mct::Formulas formulas{.learns = true, .scales_gradient = true};
  static constexpr bool adjusts_at_conversion = true;

  /// As STEUniformActivationTrainableQuantizer; it cannot be frozen.
  explicit LSQUniformActivationTrainableQuantizer(const TrainableQuantizerActivationConfig& config)
      : UniformActivation(config) {}
  Variable operator()(const Variable& x, bool training) final { return quantize_pending(x, training); }
  Variable quantize_pending(const Pending& x, bool training) final;
};

}  // namespace bitgrad
