#include <bitgrad/layers/activations.hpp>

#include <limits>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

Variable ReLU::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return relu(single_input(inputs, type()));
}
GraphValue ReLU::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.clamp(inputs.front(), 0, std::numeric_limits<float>::infinity());
}

Variable ReLU6::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return relu6(single_input(inputs, type()));
}
GraphValue ReLU6::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.clamp(inputs.front(), 0, 6);
}

Variable Sigmoid::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return sigmoid(single_input(inputs, type()));
}
GraphValue Sigmoid::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.elementwise(inputs.front(), ElementwiseFunction::sigmoid);
}

Variable Softmax::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return softmax(single_input(inputs, type()));
}
GraphValue Softmax::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.softmax(inputs.front());
}

Variable LogSoftmax::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return log_softmax(single_input(inputs, type()));
}
GraphValue LogSoftmax::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.log_softmax(inputs.front());
}

}  // namespace bitgrad
