#include <bitgrad/layers/reshaping.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/layers/extent.hpp>

namespace bitgrad {

Shape Flatten::output_shape(std::span<const Shape> inputs) const { return {single_input(inputs, type()).size()}; }

Variable Flatten::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return flatten(single_input(inputs, type()));
}

GraphValue Flatten::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.reshape(inputs.front(), {builder.shape(inputs.front()).size()});
}

Reshape::Reshape(ReshapeOptions options) : LayerOf(std::move(options.name)), shape_(options.shape) {
  if (shape_.rank() == 0) fail<ValueError>("Reshape: the shape ", shape_, " has no axis");
}

Shape Reshape::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = single_input(inputs, type());
  if (input.size() != shape_.size())
    fail<ShapeError>("Reshape: input of shape ", input, " per sample has ", input.size(), " elements, ", shape_,
                     " has ", shape_.size());
  return shape_;
}

Variable Reshape::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  const Variable& x = single_input(inputs, type());
  return reshape(x, shape_.prepended(x.shape()[0]));
}

GraphValue Reshape::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.reshape(inputs.front(), shape_);
}

ZeroPadding2D::ZeroPadding2D(ZeroPadding2DOptions options)
    : LayerOf(std::move(options.name)), padding_(options.padding) {
  if (padding_.kind != Padding::Kind::explicit_)
    fail<ValueError>("ZeroPadding2D: the padding must be Padding::explicit_");
}

Shape ZeroPadding2D::output_shape(std::span<const Shape> inputs) const {
  const Shape& x = image_input(inputs, type());
  return {x[0] + padding_.top + padding_.bottom, x[1] + padding_.left + padding_.right, x[2]};
}

Variable ZeroPadding2D::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  const auto& [kind, top, bottom, left, right] = padding_;
  return pad(single_input(inputs, type()), {{}, {top, bottom}, {left, right}, {}});
}

GraphValue ZeroPadding2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.pad2d(inputs.front(), padding_);
}

}  // namespace bitgrad
