// Operations that move elements, and sums over axes.
#pragma once

#include <vector>

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// The same elements under another shape of the same size. Throws ShapeError otherwise.
Variable reshape(const Variable& x, const Shape& shape);
/// [N, ...] → [N, product of the rest]. Throws ShapeError for a scalar.
Variable flatten(const Variable& x);

/// The operands one behind the other along `axis` (negative: from the end). Throws ShapeError when there is none, or
/// when dtypes or extents of other axes differ.
Variable concat(const std::vector<Variable>& operands, int axis = -1);

/// Elements to add before and after along one axis.
struct PadAmount {
  Index before = 0;
  Index after = 0;
};
/// Zeros around x: one amount per axis. Throws ShapeError for another number of amounts, ValueError for negative ones.
Variable pad(const Variable& x, const std::vector<PadAmount>& amounts);

/// Axes of a reduction, negative ones from the end; none means all. With keepdims they stay, with extent 1.
struct ReduceOptions {
  std::vector<int> axes{};
  bool keepdims = false;
};
/// Sum or mean over axes, formed in double in an order that depends on the shape alone. Throws ShapeError for an axis
/// out of range or named twice, and for the mean of no elements.
Variable sum(const Variable& x, const ReduceOptions& options = {});
Variable mean(const Variable& x, const ReduceOptions& options = {});
/// The sum over the axes along which `shape` broadcasts to x, of that shape: what the gradient of a broadcast operand
/// is. Throws ShapeError when it does not broadcast to x's shape.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace bitgrad
