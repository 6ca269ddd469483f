#include <bitgrad/layers/dense.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

Dense::Dense(DenseOptions options) : LayerOf(options.name), options_(std::move(options)) {
  if (options_.units < 1) fail<ValueError>("Dense: units is ", options_.units, ", expected at least 1");
  if (!options_.initializer) fail<ValueError>("Dense: the initializer is empty");
}

Shape Dense::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = single_input(inputs, type());
  if (input.rank() != 1 || input[0] < 1)
    fail<ShapeError>("Dense: input of shape ", input, " per sample, expected one axis (put a Flatten in front)");
  return {options_.units};
}

void Dense::create_weights(std::span<const Shape> inputs, Random& random) {
  add_weight("kernel", options_.initializer({inputs.front()[0], options_.units}, random));
  if (options_.bias) add_weight("bias", Tensor::zeros({options_.units}));
}

Variable Dense::apply(std::span<const Variable> inputs, const Weights& weights, const Context&) {
  return dense(single_input(inputs, type()), weights["kernel"], options_.bias ? weights["bias"] : Variable());
}

GraphValue Dense::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  const Tensor bias = options_.bias ? weight("bias")->value() : Tensor();
  return builder.dense(inputs.front(), {"kernel", weight("kernel")->value()}, {"bias", bias});
}

}  // namespace bitgrad
