// Symmetric quantization by thresholds that are powers of two.
#pragma once

#include <bitgrad/quantizers/inferable/symmetric.hpp>

namespace bitgrad {

/// WeightsSymmetricInferableQuantizer with thresholds, and so scales, that are powers of two.
class WeightsPOTInferableQuantizer : public WeightsSymmetricInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::POWER_OF_TWO}, inferable_identifier);

  /// Throws ValueError naming the option that is wrong, also for a threshold that is no power of two.
  explicit WeightsPOTInferableQuantizer(Options options);

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new WeightsPOTInferableQuantizer(*this)); }

 private:
  static constexpr std::string_view name = "WeightsPOTInferableQuantizer";
};

/// ActivationSymmetricInferableQuantizer with a threshold, and so a scale, that is a power of two.
class ActivationPOTInferableQuantizer : public ActivationSymmetricInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::POWER_OF_TWO}, inferable_identifier);

  /// Throws ValueError naming the option that is wrong, also for a threshold that is no power of two.
  explicit ActivationPOTInferableQuantizer(Options options);

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new ActivationPOTInferableQuantizer(*this)); }

 private:
  static constexpr std::string_view name = "ActivationPOTInferableQuantizer";
};

}  // namespace bitgrad
