// Rows (the last axis) of tensors of a floating dtype, rank 1 or more. Internal.
#pragma once

#include <algorithm>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad::detail {

/// f(row of a, row of b, length) for every row of two tensors of one shape and dtype.
template <class F>
void for_each_row(const Tensor& a, Tensor& b, F f) {
  const Index n = a.dim(-1);
  if (a.size() == 0) return;
  dispatch_floating("rows", a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = a.data<T>();
    T* to = b.data<T>();
    parallel_for(a.size() / n, std::max<Index>(1, 2048 / n), [&](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) f(from + row * n, to + row * n, n);
    });
  });
}

/// log_softmax of every row, and e^x of every element.
Tensor log_softmax(const Tensor& x);
Tensor exponential(const Tensor& x);

}  // namespace bitgrad::detail
