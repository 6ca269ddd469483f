#include <bitgrad/layers/dropout.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

Dropout::Dropout(DropoutOptions options) : LayerOf(std::move(options.name)), rate_(options.rate) {
  if (!(rate_ >= 0 && rate_ < 1)) fail<ValueError>("Dropout: rate is ", rate_, ", expected 0 <= rate < 1");
}

Shape Dropout::output_shape(std::span<const Shape> inputs) const { return single_input(inputs, type()); }

Variable Dropout::apply(std::span<const Variable> inputs, const Weights&, const Context& context) {
  const Variable& x = single_input(inputs, type());
  return context.training && rate_ > 0 ? dropout(x, rate_, context.seed, context.stream) : x;
}

GraphValue Dropout::lower(GraphBuilder&, std::span<const GraphValue> inputs) const { return inputs.front(); }

}  // namespace bitgrad
