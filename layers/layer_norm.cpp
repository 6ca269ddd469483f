#include <bitgrad/layers/layer_norm.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

LayerNorm::LayerNorm(LayerNormOptions options) : LayerOf(options.name), options_(std::move(options)) {
  if (!(options_.epsilon > 0 && std::isfinite(options_.epsilon)))
    fail<ValueError>("LayerNorm: epsilon is ", options_.epsilon, ", expected a positive finite number");
}

Shape LayerNorm::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = single_input(inputs, type());
  if (input.rank() == 0 || input[-1] == 0)
    fail<ShapeError>("LayerNorm: input of shape ", input, " per sample has no channels");
  return input;
}

void LayerNorm::create_weights(std::span<const Shape> inputs, Random&) {
  const Shape channels{inputs.front()[-1]};
  add_weight("gamma", Tensor::full(channels, 1));
  add_weight("beta", Tensor::zeros(channels));
}

Variable LayerNorm::apply(std::span<const Variable> inputs, const Weights& weights, const Context&) {
  return layer_norm(single_input(inputs, type()), weights["gamma"], weights["beta"],
                    static_cast<double>(options_.epsilon));
}

GraphValue LayerNorm::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.layer_norm(inputs.front(), weight("gamma")->value(), weight("beta")->value(), options_.epsilon);
}

}  // namespace bitgrad
