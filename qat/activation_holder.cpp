#include <bitgrad/qat/activation_holder.hpp>

#include <bitgrad/qat/inference/builder.hpp>

namespace bitgrad {

ActivationQuantizationHolder::ActivationQuantizationHolder(QuantizerSlot quantizer) : quantizer_(std::move(quantizer)) {
  if (quantizer_.marks().target != QuantizationTarget::Activation)
    fail<ValueError>("ActivationQuantizationHolder: the quantizer is marked for ", name_of(quantizer_.marks().target),
                     ", expected one for Activation");
  quantizer_.initialize(std::nullopt, "activation");
}

Shape ActivationQuantizationHolder::output_shape(std::span<const Shape> inputs) const {
  return single_input(inputs, type());
}

Variable ActivationQuantizationHolder::apply(std::span<const Variable> inputs, const Weights& weights,
                                             const Context& context) {
  return apply_pending(single_input(inputs, type()), weights, context).value();
}

Pending ActivationQuantizationHolder::apply_pending(const Pending& x, const Weights&, const Context& context) {
  return delayed_ && context.training ? x : quantizer_(x, context.training);
}

GraphValue ActivationQuantizationHolder::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return InferenceGraphBuilder::of(builder).quantize(inputs.front(), *quantizer_.inferable());
}

Pending PreservingActivationQuantizationHolder::apply_pending(const Pending& x, const Weights& weights,
                                                              const Context& context) {
  return quantization_bypass_ ? x : ActivationQuantizationHolder::apply_pending(x, weights, context);
}

GraphValue PreservingActivationQuantizationHolder::lower(GraphBuilder& builder,
                                                         std::span<const GraphValue> inputs) const {
  return quantization_bypass_ ? inputs.front() : ActivationQuantizationHolder::lower(builder, inputs);
}

std::vector<NamedParameter> ActivationQuantizationHolder::parameters() const {
  std::vector<NamedParameter> result;
  for (const ParameterPtr& parameter : quantizer_.parameters()) result.push_back({parameter->name(), parameter});
  return result;
}

}  // namespace bitgrad
