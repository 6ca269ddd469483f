#include <bitgrad/autograd/operations/detail/broadcast.hpp>

#include <algorithm>

#include <bitgrad/core/kernels/elementwise.hpp>

namespace bitgrad::detail {
namespace {

/// Extent of axis `i` of `shape` aligned at the last axis of a tensor of rank `rank`.
Index aligned_extent(const Shape& shape, int i, int rank) {
  const int own = i - (rank - shape.rank());
  return own < 0 ? 1 : shape[own];
}

/// y = the sum of x [outer, n, inner] over its middle axis. A narrow inner axis takes several rows at a time, so that
/// the additions are independent of each other and vectorise.
template <class T>
void sum_middle(const T* x, T* y, Index outer, Index n, Index inner) {
  const Index fold = std::max<Index>(1, std::min(64 / inner, n)), width = fold * inner;
  parallel_for(outer, std::max<Index>(1, elementwise_grain / (n * inner)), [&](Index begin, Index end) {
    std::vector<double> sum(static_cast<std::size_t>(width));
    for (Index o = begin; o < end; ++o) {
      std::fill(sum.begin(), sum.end(), 0.0);
      double* __restrict total = sum.data();
      for (Index at = 0; at < n * inner; at += width) {
        const T* from = x + o * n * inner + at;
        const Index count = std::min(width, n * inner - at);
        for (Index i = 0; i < count; ++i) total[i] += static_cast<double>(from[i]);
      }
      for (Index i = inner; i < width; ++i) total[i % inner] += total[i];
      for (Index i = 0; i < inner; ++i) y[o * inner + i] = static_cast<T>(total[i]);
    }
  });
}

}  // namespace

BroadcastPlan::BroadcastPlan(const Shape& a, const Shape& b, const Shape& out) {
  Index a_stride = 1, b_stride = 1;
  for (int i = out.rank() - 1; i >= 0; --i) {
    const Index extent = out[i];
    if (extent == 1) continue;
    const bool vary_a = aligned_extent(a, i, out.rank()) != 1, vary_b = aligned_extent(b, i, out.rank()) != 1;
    Axis& inner = axes[static_cast<std::size_t>(std::max(0, rank - 1))];
    if (rank > 0 && (inner.a_stride != 0) == vary_a && (inner.b_stride != 0) == vary_b)
      inner.extent *= extent;
    else
      axes[static_cast<std::size_t>(rank++)] = {extent, vary_a ? a_stride : 0, vary_b ? b_stride : 0};
    if (vary_a) a_stride *= extent;
    if (vary_b) b_stride *= extent;
  }
  if (rank == 0) axes[static_cast<std::size_t>(rank++)] = {1, 1, 1};
  for (int i = 1; i < rank; ++i) rows *= axes[static_cast<std::size_t>(i)].extent;
}

bool BroadcastPlan::b_is_row() const {
  if (rank == 1) return axes[0].a_stride && !axes[0].b_stride;
  return rank == 2 && axes[0].a_stride && axes[0].b_stride && axes[1].a_stride && !axes[1].b_stride;
}

RowOffsets::RowOffsets(const BroadcastPlan& plan, Index row) : plan_(plan) {
  for (std::size_t i = 1; i < static_cast<std::size_t>(plan.rank); ++i) {
    position_[i] = row % plan.axes[i].extent;
    row /= plan.axes[i].extent;
    a += position_[i] * plan.axes[i].a_stride;
    b += position_[i] * plan.axes[i].b_stride;
  }
}

void RowOffsets::next() {
  for (std::size_t i = 1; i < static_cast<std::size_t>(plan_.rank); ++i) {
    const BroadcastPlan::Axis& axis = plan_.axes[i];
    a += axis.a_stride;
    b += axis.b_stride;
    if (++position_[i] < axis.extent) return;
    position_[i] = 0;
    a -= axis.extent * axis.a_stride;
    b -= axis.extent * axis.b_stride;
  }
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  BITGRAD_ASSERT(broadcast_shapes(x.shape(), shape, "broadcast_to") == shape);
  Tensor out(shape, x.dtype());
  if (out.size() == 0) return out;
  const BroadcastPlan plan(x.shape(), x.shape(), shape);
  dispatch_floating("broadcast_to", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    broadcast_loop(plan, x.data<T>(), x.data<T>(), out.data<T>(), [](T value, T) { return value; });
  });
  return out;
}

Tensor sum_to(Tensor x, const Shape& shape) {
  if (x.shape() == shape) return x;
  AxisMask summed{};
  for (int i = 0; i < x.rank(); ++i)
    summed[static_cast<std::size_t>(i)] = aligned_extent(shape, i, x.rank()) == 1 && x.dim(i) != 1;
  return sum_axes(x, summed).reshape(shape);
}

Tensor sum_of_product_to(const Tensor& x, const Tensor& y, const Shape& shape) {
  BITGRAD_ASSERT(x.shape() == y.shape());
  const BroadcastPlan plan(x.shape(), shape, x.shape());
  if (!plan.b_is_row()) return sum_to(broadcast_map("mul", x, y, [](auto p, auto q) { return p * q; }), shape);
  Tensor result = Tensor::zeros(shape, x.dtype());
  const Index channels = plan.row_length();
  dispatch_floating("mul", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::add_column_sums_of_product(x.size() / channels, channels, x.data<T>(), y.data<T>(), result.data<T>());
  });
  return result;
}

Tensor sum_axes(const Tensor& x, const AxisMask& summed) {
  Tensor result = x;
  for (int last = x.rank() - 1; last >= 0; --last) {
    if (!summed[static_cast<std::size_t>(last)]) continue;
    int first = last;  // axes [first, last] are one sum
    while (first > 0 && summed[static_cast<std::size_t>(first - 1)]) --first;
    Index outer = 1, n = 1, inner = 1;
    Shape shape = result.shape();
    for (int i = 0; i < x.rank(); ++i) (i < first ? outer : i <= last ? n : inner) *= shape[i];
    for (int i = first; i <= last; ++i) shape = shape.with(i, 1);
    const Tensor terms = result;
    result = Tensor::zeros(shape, x.dtype());
    if (terms.size() > 0)
      dispatch_floating("sum", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        if (outer == 1)
          kernels::add_column_sums(n, inner, terms.data<T>(), result.data<T>());
        else
          sum_middle(terms.data<T>(), result.data<T>(), outer, n, inner);
      });
    last = first;
  }
  return result;
}

}  // namespace bitgrad::detail
