#include <bitgrad/layers/activations.hpp>

#include <cmath>
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

LeakyReLU::LeakyReLU(LeakyReLUOptions options) : Activation(std::move(options.name)), slope_(options.slope) {
  if (!std::isfinite(slope_)) fail<ValueError>("LeakyReLU: slope is ", slope_, ", expected a finite number");
}
Variable LeakyReLU::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return leaky_relu(single_input(inputs, type()), slope_);
}
GraphValue LeakyReLU::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.leaky_relu(inputs.front(), slope_);
}

Pow::Pow(PowOptions options) : Activation(std::move(options.name)), exponent_(options.exponent) {
  if (!std::isfinite(exponent_)) fail<ValueError>("Pow: exponent is ", exponent_, ", expected a finite number");
}
Variable Pow::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return bitgrad::pow(single_input(inputs, type()), static_cast<double>(exponent_));
}
GraphValue Pow::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.pow(inputs.front(), exponent_);
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
