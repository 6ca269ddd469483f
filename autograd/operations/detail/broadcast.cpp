#include <bitgrad/autograd/operations/detail/broadcast.hpp>

#include <algorithm>

namespace bitgrad::detail {
namespace {

/// Extent of axis `i` of `shape` aligned at the last axis of a tensor of rank `rank`.
Index aligned_extent(const Shape& shape, int i, int rank) {
  const int own = i - (rank - shape.rank());
  return own < 0 ? 1 : shape[own];
}

/// Sums the middle axis of [outer, n, inner]. Work is cut into blocks of the inner axis and chunks of the middle one; a
/// narrow inner axis takes several rows at a time, so that the additions are independent and vectorise.
template <class T>
class MiddleSum {
 public:
  MiddleSum(const T* x, T* y, Index outer, Index n, Index inner, double divisor)
      : x_(x), y_(y), outer_(outer), n_(n), inner_(inner), divisor_(divisor), block_(std::min(inner, max_width)),
        fold_(std::max<Index>(1, 64 / block_)), rows_(std::max<Index>(1, chunk_elements / (block_ * fold_)) * fold_),
        blocks_(chunk_count(inner, block_)), chunks_(chunk_count(n, rows_)) {}

  void run() {
    std::vector<double> partial(chunks_ > 1 ? static_cast<std::size_t>(outer_ * chunks_ * inner_) : 0);
    const Index grain = std::max<Index>(1, chunk_elements / std::max<Index>(1, std::min(n_, rows_) * block_));
    parallel_for(outer_ * chunks_ * blocks_, grain, [&](Index begin, Index end) {
      double sum[max_sum];
      for (Index item = begin; item < end; ++item) {
        const Index column = item % blocks_ * block_, chunk = item / blocks_ % chunks_, o = item / blocks_ / chunks_;
        const Index width = std::min(block_, inner_ - column);
        add_rows(o, chunk, column, width, sum);
        if (chunks_ == 1)
          finish(sum, y_ + o * inner_ + column, width);
        else
          std::copy(sum, sum + width, partial.data() + (o * chunks_ + chunk) * inner_ + column);
      }
    });
    if (chunks_ > 1) add_chunks(partial);
  }

 private:
  static constexpr Index chunk_elements = 1 << 15;
  static constexpr Index max_width = 2048;
  static constexpr Index max_sum = max_width + 64;

  /// The sum of rows of one chunk, columns [column, column + width), in the first `width` elements of `sum`.
  void add_rows(Index o, Index chunk, Index column, Index width, double* sum) const {
    const Index fold = width == inner_ ? fold_ : 1;  // several rows are contiguous only when they are whole
    const Index begin = chunk * rows_, end = std::min(n_, begin + rows_);
    std::fill(sum, sum + width * fold, 0.0);
    for (Index row = begin; row < end; row += fold) {
      const T* from = x_ + (o * n_ + row) * inner_ + column;
      const Index count = std::min(fold, end - row) * width;
      for (Index i = 0; i < count; ++i) sum[i] += static_cast<double>(from[i]);
    }
    for (Index f = 1; f < fold; ++f)
      for (Index i = 0; i < width; ++i) sum[i] += sum[f * width + i];
  }

  void add_chunks(const std::vector<double>& partial) const {
    std::vector<double> sum(static_cast<std::size_t>(inner_));
    for (Index o = 0; o < outer_; ++o) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (Index chunk = 0; chunk < chunks_; ++chunk) {
        const double* from = partial.data() + (o * chunks_ + chunk) * inner_;
        for (Index i = 0; i < inner_; ++i) sum[static_cast<std::size_t>(i)] += from[i];
      }
      finish(sum.data(), y_ + o * inner_, inner_);
    }
  }

  void finish(const double* sum, T* y, Index width) const {
    for (Index i = 0; i < width; ++i) y[i] = static_cast<T>(sum[i] / divisor_);
  }

  const T* x_;
  T* y_;
  const Index outer_, n_, inner_;
  const double divisor_;
  const Index block_, fold_, rows_, blocks_, chunks_;
};

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

Tensor sum_axes(const Tensor& x, const AxisMask& summed, double divisor) {
  Tensor result = x;
  for (int last = x.rank() - 1; last >= 0; --last) {
    if (!summed[static_cast<std::size_t>(last)]) continue;
    int first = last;  // axes [first, last] form one sum
    while (first > 0 && summed[static_cast<std::size_t>(first - 1)]) --first;
    Index outer = 1, n = 1, inner = 1;
    Shape shape = result.shape();
    for (int i = 0; i < x.rank(); ++i) (i < first ? outer : i <= last ? n : inner) *= shape[i];
    for (int i = first; i <= last; ++i) shape = shape.with(i, 1);
    Tensor sums = Tensor::zeros(shape, x.dtype());
    const bool final_sum = std::none_of(summed.begin(), summed.begin() + first, [](bool marked) { return marked; });
    if (sums.size() > 0 && n > 0) dispatch_floating("sum", x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      MiddleSum<T>(result.data<T>(), sums.data<T>(), outer, n, inner, final_sum ? divisor : 1.0).run();
    });
    result = sums;
    last = first;
  }
  return result.unique() ? result : result.clone();
}

}  // namespace bitgrad::detail
