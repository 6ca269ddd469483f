// Layers that do nothing but quantize their input.
#pragma once

#include <bitgrad/layers/layer.hpp>
#include <bitgrad/qat/quantizer_slot.hpp>

namespace bitgrad {

/// Holds the one quantizer of an activation tensor. The reference's ActivationQuantizationHolder.
class ActivationQuantizationHolder : public LayerOf<ActivationQuantizationHolder> {
 public:
  /// ValueError when the quantizer is not one of activations.
  explicit ActivationQuantizationHolder(QuantizerSlot quantizer);

  std::string_view type() const override { return "ActivationQuantizationHolder"; }
  std::string_view name_stem() const override { return "activation_holder"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) final;
  Pending apply_pending(const Pending& x, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
  std::vector<NamedParameter> parameters() const override;

  const QuantizerSlot& quantizer() const { return quantizer_; }
  /// In training its output is its input from now on, or quantized again; evaluation and lowering do not change.
  void delay(bool delayed) { delayed_ = delayed; }
  /// Whether the output is on the quantizer's grid.
  virtual bool quantizes() const { return true; }
  /// Its quantizer becomes its inferable form. Idempotent. ValueError as QuantizerSlot::inferable().
  void convert_to_inferable_quantizers() { quantizer_.convert(); }

 private:
  QuantizerSlot quantizer_;
  bool delayed_ = false;
};

/// A holder behind an operation that only moves data: with `quantization_bypass` its output is its input, which the
/// quantizer of the producing operation has put on the grid. The reference's PreservingActivationQuantizationHolder.
class PreservingActivationQuantizationHolder : public ActivationQuantizationHolder {
 public:
  /// ValueError likewise.
  explicit PreservingActivationQuantizationHolder(QuantizerSlot quantizer, bool quantization_bypass = false)
      : ActivationQuantizationHolder(std::move(quantizer)), quantization_bypass_(quantization_bypass) {}

  std::string_view type() const override { return "PreservingActivationQuantizationHolder"; }
  Pending apply_pending(const Pending& x, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
  LayerPtr clone() const override { return LayerPtr(new PreservingActivationQuantizationHolder(*this)); }

  bool quantization_bypass() const { return quantization_bypass_; }
  bool quantizes() const override { return !quantization_bypass_; }

 private:
  bool quantization_bypass_;
};

}  // namespace bitgrad
