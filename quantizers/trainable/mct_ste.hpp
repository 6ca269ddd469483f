// The reference system's straight-through quantizers: rounding and clamp both pass the gradient everywhere, so that
// thresholds learn from the distance between values and levels, saturated ones included. Weights do not learn theirs.
#pragma once

#include <bitgrad/quantizers/trainable/detail/mct_parts.hpp>

namespace bitgrad {

/// y = d clamp(round(x / d)), d = t / 2^(n-1). The step follows the threshold variable, also after loading a state.
class STEWeightQATQuantizer : public mct::SymmetricWeights<STEWeightQATQuantizer> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Weights, {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC}, "mct-ste");
  static constexpr mct::Formulas formulas{};

  /// "threshold": finite, positive (power-of-two: may be 0, the floor is 2^-16). ValueError otherwise.
  explicit STEWeightQATQuantizer(const TrainableQuantizerWeightsConfig& config) : SymmetricWeights(config) {}
  Variable operator()(const Variable& x, bool training) override;
};

/// y = d clamp(round((x - a) / d)) + a with [a, b] the range adjusted to include zero, d = (b - a) / (2^n - 1).
class STEUniformWeightQATQuantizer : public mct::UniformWeights<STEUniformWeightQATQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::UNIFORM}, "mct-ste");
  static constexpr mct::Formulas formulas{};
  static constexpr bool adjusts_at_conversion = false;

  /// "range_min" < "range_max", finite. ValueError otherwise.
  explicit STEUniformWeightQATQuantizer(const TrainableQuantizerWeightsConfig& config) : UniformWeights(config) {}
  Variable operator()(const Variable& x, bool training) override;
};

/// As the weights' one, with a threshold that learns unless frozen. A power-of-two threshold is rounded at conversion
/// only.
class STESymmetricActivationTrainableQuantizer
    : public mct::SymmetricActivation<STESymmetricActivationTrainableQuantizer> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Activation, {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC}, "mct-ste");
  static constexpr mct::Formulas formulas{.learns = true};

  /// "threshold": one element, finite, positive; "is_signed": 0 or 1. ValueError otherwise.
  explicit STESymmetricActivationTrainableQuantizer(const TrainableQuantizerActivationConfig& config,
                                                    bool freeze_quant_params = false)
      : SymmetricActivation(config, freeze_quant_params) {}
  Variable operator()(const Variable& x, bool training) final { return quantize_pending(x, training); }
  Variable quantize_pending(const Pending& x, bool training) final;
};

/// y = d clamp(round((x - a) / d)) + a as for weights, with a range of one element each that learns unless frozen.
class STEUniformActivationTrainableQuantizer : public mct::UniformActivation<STEUniformActivationTrainableQuantizer> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::UNIFORM}, "mct-ste");
  static constexpr mct::Formulas formulas{.learns = true};
  static constexpr bool adjusts_at_conversion = false;

  /// "range_min" < "range_max", finite, one element each. ValueError otherwise.
  explicit STEUniformActivationTrainableQuantizer(const TrainableQuantizerActivationConfig& config,
                                                  bool freeze_quant_params = false)
      : UniformActivation(config, freeze_quant_params) {}
  Variable operator()(const Variable& x, bool training) final { return quantize_pending(x, training); }
  Variable quantize_pending(const Pending& x, bool training) final;
};

}  // namespace bitgrad
