#include <bitgrad/layers/merge.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

template <class T>
void require_two(std::span<const T> inputs) {
  if (inputs.size() != 2) fail<ShapeError>("Add: takes two inputs, got ", inputs.size());
}

}  // namespace

Shape Add::output_shape(std::span<const Shape> inputs) const {
  require_two(inputs);
  if (inputs[0] != inputs[1])
    fail<ShapeError>("Add: inputs of shapes ", inputs[0], " and ", inputs[1], ", expected one shape");
  return inputs[0];
}

Variable Add::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  require_two(inputs);
  if (inputs[0].shape() != inputs[1].shape())  // add() alone would broadcast
    fail<ShapeError>("Add: inputs of shapes ", inputs[0].shape(), " and ", inputs[1].shape(), ", expected one shape");
  return add(inputs[0], inputs[1]);
}

GraphValue Add::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.add(inputs[0], inputs[1]);
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
