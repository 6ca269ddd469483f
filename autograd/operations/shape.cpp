#include <bitgrad/autograd/operations/shape.hpp>

#include <cstring>

#include <bitgrad/autograd/operations/detail/broadcast.hpp>

namespace bitgrad {
namespace {

/// A tensor seen as [outer, extent of the axis, bytes inside].
struct AxisView {
  AxisView(const Tensor& x, int axis) : extent(x.dim(axis)), inner(size_of(x.dtype())) {
    for (int i = 0; i < axis; ++i) outer *= x.dim(i);
    for (int i = axis + 1; i < x.rank(); ++i) inner *= static_cast<std::size_t>(x.dim(i));
  }
  Index outer = 1, extent;
  std::size_t inner;
};

/// Copies `part` into `whole` at `offset` along the axis; the other extents agree.
void copy_along(int axis, const Tensor& part, Tensor& whole, Index offset) {
  const AxisView from(part, axis), to(whole, axis);
  const std::size_t piece = static_cast<std::size_t>(from.extent) * from.inner;
  const std::size_t row = static_cast<std::size_t>(to.extent) * to.inner;
  for (std::size_t o = 0; o < static_cast<std::size_t>(from.outer); ++o)
    std::memcpy(whole.bytes() + o * row + static_cast<std::size_t>(offset) * to.inner, part.bytes() + o * piece, piece);
}

Variable reduce(std::string_view name, const Variable& x, const ReduceOptions& options, bool average) {
  detail::require_floating(name, x.value());
  detail::AxisMask summed{};
  for (const int axis : options.axes) {
    bool& marked = summed[static_cast<std::size_t>(normalize_axis(axis, x.shape().rank(), name))];
    if (marked) fail<ShapeError>(name, ": axis ", axis, " of shape ", x.shape(), " is named twice");
    marked = true;
  }
  if (options.axes.empty()) summed.fill(true);
  Index count = 1;
  std::vector<Index> kept;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (summed[static_cast<std::size_t>(i)]) count *= x.shape()[i];
    if (!summed[static_cast<std::size_t>(i)] || options.keepdims)
      kept.push_back(summed[static_cast<std::size_t>(i)] ? 1 : x.shape()[i]);
  }
  if (average && count == 0) fail<ShapeError>(name, ": no elements along the axes of shape ", x.shape());
  const auto divided = [average, count](const Tensor& total) {
    return average ? detail::map("mean", total, [=](auto v) { return v / static_cast<decltype(v)>(count); }) : total;
  };
  const Tensor y = divided(detail::sum_axes(x.value(), summed));
  const Shape full = y.shape();  // with extent 1 where summed: broadcasts back to x
  return record_operation(name, y.reshape(Shape(kept)), {x}, [=, shape = x.shape()](const Tensor& g, GradSink& sink) {
    sink.add(0, detail::broadcast_to(divided(g).reshape(full), shape));
  });
}

}  // namespace

Variable reshape(const Variable& x, const Shape& shape) {
  detail::require_floating("reshape", x.value());
  return record_operation("reshape", x.value().reshape(shape), {x},
                          [from = x.shape()](const Tensor& g, GradSink& sink) { sink.add(0, g.reshape(from)); });
}

Variable flatten(const Variable& x) {
  detail::require_floating("flatten", x.value());
  if (x.shape().rank() == 0) fail<ShapeError>("flatten: the input is a scalar, expected (N, ...)");
  Index rest = 1;
  for (int i = 1; i < x.shape().rank(); ++i) rest *= x.shape()[i];
  return reshape(x, {x.shape()[0], rest});
}

Variable concat(const std::vector<Variable>& operands, int axis) {
  if (operands.empty()) fail<ShapeError>("concat: no operands, expected at least one");
  const Variable& first = operands.front();
  detail::require_floating("concat", first.value());
  axis = normalize_axis(axis, first.shape().rank(), "concat");
  std::vector<Index> extents;
  Index total = 0;
  for (const Variable& operand : operands) {
    detail::require_same_dtype("concat", first.value(), operand.value());
    if (operand.shape().rank() != first.shape().rank() || operand.shape().with(axis, 1) != first.shape().with(axis, 1))
      fail<ShapeError>("concat: shapes are ", first.shape(), " and ", operand.shape(),
                       ", expected to differ along axis ", axis, " only");
    extents.push_back(operand.shape()[axis]);
    total += extents.back();
  }
  Tensor y(first.shape().with(axis, total), first.dtype());
  Index offset = 0;
  for (const Variable& operand : operands) {
    copy_along(axis, operand.value(), y, offset);
    offset += operand.shape()[axis];
  }
  return record_operation("concat", std::move(y), operands, [=](const Tensor& g, GradSink& sink) {
    Index begin = 0;
    for (std::size_t i = 0; i < extents.size(); begin += extents[i++])
      if (sink.wants(i)) sink.add(i, g.slice(axis, begin, begin + extents[i]));
  });
}

Variable pad(const Variable& x, const std::vector<PadAmount>& amounts) {
  detail::require_floating("pad", x.value());
  if (static_cast<int>(amounts.size()) != x.shape().rank())
    fail<ShapeError>("pad: ", amounts.size(), " amounts for shape ", x.shape(), ", expected one per axis");
  for (const PadAmount& amount : amounts)
    if (amount.before < 0 || amount.after < 0)
      fail<ValueError>("pad: amounts ", amount.before, " and ", amount.after, ", expected 0 or more");
  Tensor y = x.value();
  for (int axis = 0; axis < y.rank(); ++axis) {
    const auto [before, after] = amounts[static_cast<std::size_t>(axis)];
    if (before + after == 0) continue;
    Tensor padded = Tensor::zeros(y.shape().with(axis, before + y.dim(axis) + after), y.dtype());
    copy_along(axis, y, padded, before);
    y = padded;
  }
  return record_operation("pad", std::move(y), {x}, [amounts, shape = x.shape()](const Tensor& g, GradSink& sink) {
    Tensor inside = g;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const auto [before, after] = amounts[static_cast<std::size_t>(axis)];
      if (before + after > 0) inside = inside.slice(axis, before, before + shape[axis]);
    }
    sink.add(0, std::move(inside));
  });
}

Variable sum(const Variable& x, const ReduceOptions& options) { return reduce("sum", x, options, false); }
Variable mean(const Variable& x, const ReduceOptions& options) { return reduce("mean", x, options, true); }

Variable sum_to(const Variable& x, const Shape& shape) {
  if (broadcast_shapes(x.shape(), shape, "sum_to") != x.shape())
    fail<ShapeError>("sum_to: ", shape, " does not broadcast to the operand's shape ", x.shape());
  const int added = x.shape().rank() - shape.rank();
  ReduceOptions repeated{.axes = {}, .keepdims = true};
  for (int axis = 0; axis < x.shape().rank(); ++axis)
    if (axis < added || shape[axis - added] != x.shape()[axis]) repeated.axes.push_back(axis);
  return repeated.axes.empty() ? x : reshape(sum(x, repeated), shape);
}

}  // namespace bitgrad
