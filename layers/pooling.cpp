#include <bitgrad/layers/pooling.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

template <class Derived>
Pool2D<Derived>::Pool2D(std::string_view type, Pool2DOptions options)
    : LayerOf<Derived>(options.name), options_(std::move(options)) {
  if (options_.stride == Extent2D(0)) options_.stride = options_.window;
  require_positive(message(type, ": window"), options_.window);
  require_positive(message(type, ": stride"), options_.stride);
}

template <class Derived>
Shape Pool2D<Derived>::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = image_input(inputs, this->type());
  return bitgrad::output_shape(pool2d_geometry(input.prepended(1), window(), stride(), padding())).without_front();
}

template class Pool2D<MaxPool2D>;
template class Pool2D<AveragePool2D>;

Variable MaxPool2D::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return max_pool2d(single_input(inputs, type()), {window(), stride(), padding()});
}
GraphValue MaxPool2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.max_pool2d(inputs.front(), window(), stride(), padding());
}

Variable AveragePool2D::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return average_pool2d(single_input(inputs, type()), {window(), stride(), padding()});
}
GraphValue AveragePool2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.average_pool2d(inputs.front(), window(), stride(), padding());
}

Shape GlobalAveragePool2D::output_shape(std::span<const Shape> inputs) const {
  return {image_input(inputs, type())[-1]};
}
Variable GlobalAveragePool2D::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return global_average_pool2d(single_input(inputs, type()));
}
GraphValue GlobalAveragePool2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.global_average_pool2d(inputs.front());
}

}  // namespace bitgrad
