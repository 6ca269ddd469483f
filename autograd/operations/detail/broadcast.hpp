// NumPy's broadcasting for loops over two tensors, and its gradient, a sum. Internal.
#pragma once

#include <array>
#include <vector>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>

namespace bitgrad::detail {

/// How two operands are walked: neighbouring axes in which both do the same are merged, innermost first. A stride is 0
/// where an operand is repeated.
struct BroadcastPlan {
  struct Axis {
    Index extent, a_stride, b_stride;
  };
  BroadcastPlan(const Shape& a, const Shape& b, const Shape& out);

  /// Both operands are walked alike.
  bool same() const { return rank == 1 && axes[0].a_stride && axes[0].b_stride; }
  /// b is a row of row_length() values (a bias, a scale per channel, or one number) that repeats along a.
  bool b_is_row() const;
  Index row_length() const { return axes[0].b_stride ? axes[0].extent : 1; }

  std::array<Axis, Shape::max_rank> axes{};  // axes[0] is the innermost
  int rank = 0;                              // at least 1
  Index rows = 1;                            // product of the extents of axes[1...]
};

/// Walks the rows of a plan: offsets of row `r` in both operands.
class RowOffsets {
 public:
  RowOffsets(const BroadcastPlan& plan, Index row);
  void next();
  Index a = 0, b = 0;

 private:
  const BroadcastPlan& plan_;
  std::array<Index, Shape::max_rank> position_{};
};

template <bool vary_a, bool vary_b, class T, class F>
inline void broadcast_row(const T* a, const T* b, T* __restrict out, Index n, F f) {
  for (Index i = 0; i < n; ++i) out[i] = f(a[vary_a ? i : 0], b[vary_b ? i : 0]);
}

template <class T, class F>
inline void broadcast_row(const BroadcastPlan::Axis& axis, const T* a, const T* b, T* out, Index n, F f) {
  if (axis.a_stride && axis.b_stride) return broadcast_row<true, true>(a, b, out, n, f);
  if (axis.a_stride) return broadcast_row<true, false>(a, b, out, n, f);
  if (axis.b_stride) return broadcast_row<false, true>(a, b, out, n, f);
  broadcast_row<false, false>(a, b, out, n, f);
}

template <class T, class F>
void broadcast_loop(const BroadcastPlan& plan, const T* a, const T* b, T* out, F f) {
  const BroadcastPlan::Axis& inner = plan.axes[0];
  if (plan.rank == 1) {
    parallel_for(inner.extent, elementwise_grain, [&](Index begin, Index end) {
      broadcast_row(inner, a + begin * inner.a_stride, b + begin * inner.b_stride, out + begin, end - begin, f);
    });
  } else {
    parallel_for(plan.rows, std::max<Index>(1, elementwise_grain / inner.extent), [&](Index begin, Index end) {
      RowOffsets offsets(plan, begin);
      for (Index row = begin; row < end; ++row, offsets.next())
        broadcast_row(inner, a + offsets.a, b + offsets.b, out + row * inner.extent, inner.extent, f);
    });
  }
}

/// out from loop(plan, a, b, out), which fills it; throws ShapeError naming the operation.
template <class Loop>
Tensor broadcast_by_plan(std::string_view name, const Tensor& a, const Tensor& b, Loop loop) {
  require_same_dtype(name, a, b);
  Tensor out(broadcast_shapes(a.shape(), b.shape(), name), a.dtype());
  if (out.size() == 0) return out;
  const BroadcastPlan plan(a.shape(), b.shape(), out.shape());
  dispatch_floating(name, a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    loop(plan, a.data<T>(), b.data<T>(), out.data<T>());
  });
  return out;
}

/// out = f(a, b) with broadcasting; throws ShapeError naming the operation.
template <class F>
Tensor broadcast_map(std::string_view name, const Tensor& a, const Tensor& b, F f) {
  return broadcast_by_plan(name, a, b, [=]<class T>(const BroadcastPlan& plan, const T* p, const T* q, T* out) {
    broadcast_loop(plan, p, q, out, f);
  });
}

/// out = a op b with broadcasting, by Operation's kernels same(n, a, b, y) where the shapes are equal and
/// row(rows, channels, a, b, y) where b is a row, by one(a, b) per element elsewhere. Throws ShapeError naming the
/// operation.
template <class Operation>
Tensor broadcast_by_kernel(std::string_view name, const Tensor& a, const Tensor& b) {
  return broadcast_by_plan(name, a, b, [&]<class T>(const BroadcastPlan& plan, const T* p, const T* q, T* out) {
    const Index length = plan.row_length();
    if (plan.same())
      Operation::same(a.size(), p, q, out);
    else if (plan.b_is_row())
      Operation::row(a.size() / length, length, p, q, out);
    else
      broadcast_loop(plan, p, q, out, [](T u, T v) { return Operation::one(u, v); });
  });
}

/// x repeated along its axes of extent 1 (and in front) to `shape`.
Tensor broadcast_to(const Tensor& x, const Shape& shape);

/// The gradient of broadcasting: x summed down to `shape`, which broadcasts to x's. x itself when the shapes are equal.
Tensor sum_to(Tensor x, const Shape& shape);

/// sum_to(x * y, shape) for x and y of one shape, without the product as a tensor where `shape` is a row.
Tensor sum_of_product_to(const Tensor& x, const Tensor& y, const Shape& shape);

/// Which axes a reduction sums over.
using AxisMask = std::array<bool, Shape::max_rank>;

/// Sums over the marked axes, which stay with extent 1. Sums are formed in double, in an order that depends on the
/// shape alone, so that the result has the same bytes for any number of threads.
Tensor sum_axes(const Tensor& x, const AxisMask& summed);

}  // namespace bitgrad::detail
