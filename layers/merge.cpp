#include <bitgrad/layers/merge.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

template <class T>
void require_two(std::span<const T> inputs, std::string_view layer_type) {
  if (inputs.size() != 2) fail<ShapeError>(layer_type, ": takes two inputs, got ", inputs.size());
}

}  // namespace

Shape Add::output_shape(std::span<const Shape> inputs) const {
  require_two(inputs, type());
  if (inputs[0] != inputs[1])
    fail<ShapeError>("Add: inputs of shapes ", inputs[0], " and ", inputs[1], ", expected one shape");
  return inputs[0];
}

Variable Add::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  require_two(inputs, type());
  if (inputs[0].shape() != inputs[1].shape())  // add() alone would broadcast
    fail<ShapeError>("Add: inputs of shapes ", inputs[0].shape(), " and ", inputs[1].shape(), ", expected one shape");
  return add(inputs[0], inputs[1]);
}

GraphValue Add::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.add(inputs[0], inputs[1]);
}

Where::Where(WhereOptions options) : LayerOf(std::move(options.name)) {
  if (!options.mask.defined()) fail<ShapeError>("Where: the mask is undefined");
  const Tensor ones = Tensor::full(options.mask.shape(), 1), zeros = Tensor::zeros(options.mask.shape());
  add_buffer("mask", where(options.mask, ones, zeros).value().to(DType::int32));
}

Shape Where::output_shape(std::span<const Shape> inputs) const {
  require_two(inputs, type());
  for (const Shape& input : inputs)
    if (input != buffer("mask").shape())
      fail<ShapeError>("Where: an input of shape ", input, ", expected that of the mask, ", buffer("mask").shape());
  return inputs[0];
}

Variable Where::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  const std::vector<Shape> shapes = [&] {
    std::vector<Shape> result;
    for (const Variable& input : inputs) result.push_back(input.shape().without_front());
    return result;
  }();
  output_shape(shapes);  // where() alone would broadcast
  return where(buffer("mask"), inputs[0], inputs[1]);
}

GraphValue Where::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.where(buffer("mask").to(DType::float32), inputs[0], inputs[1]);
}

Concat::Concat(ConcatOptions options) : LayerOf(std::move(options.name)), axis_(options.axis) {}

Shape Concat::output_shape(std::span<const Shape> inputs) const {
  if (inputs.empty()) fail<ShapeError>("Concat: takes at least one input, got 0");
  const Shape& first = inputs.front();
  const int axis = normalize_axis(axis_, first.rank(), "Concat");
  Index extent = 0;
  for (const Shape& shape : inputs) {
    if (shape.rank() != first.rank() || shape.with(axis, 0) != first.with(axis, 0))
      fail<ShapeError>("Concat: inputs of shapes ", first, " and ", shape, " differ outside axis ", axis);
    extent += shape[axis];
  }
  return first.with(axis, extent);
}

Variable Concat::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  if (inputs.empty()) fail<ShapeError>("Concat: takes at least one input, got 0");
  const int axis = normalize_axis(axis_, inputs.front().shape().rank() - 1, "Concat") + 1;
  return concat({inputs.begin(), inputs.end()}, axis);
}

GraphValue Concat::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.concat(inputs, normalize_axis(axis_, builder.shape(inputs.front()).rank(), "Concat"));
}

}  // namespace bitgrad
