// A layer that does nothing but quantize its input.
#pragma once

#include <bitgrad/layers/layer.hpp>
#include <bitgrad/qat/quantizer_slot.hpp>

namespace bitgrad {

/// Holds the quantizer of one activation tensor. The reference's ActivationQuantizationHolder.
class ActivationQuantizationHolder : public LayerOf<ActivationQuantizationHolder> {
 public:
  /// ValueError when the quantizer is not one of activations.
  explicit ActivationQuantizationHolder(QuantizerSlot quantizer);

  std::string_view type() const override { return "ActivationQuantizationHolder"; }
  std::string_view name_stem() const override { return "activation_holder"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
  std::vector<NamedParameter> parameters() const override;

  const QuantizerSlot& quantizer() const { return quantizer_; }
  /// Idempotent.
  void convert_to_inferable_quantizers() { quantizer_.convert(); }

 private:
  QuantizerSlot quantizer_;
};

}  // namespace bitgrad
