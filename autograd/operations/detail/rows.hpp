// Loops over the rows (the last axis) of two tensors. Internal.
#pragma once

#include <algorithm>
#include <cmath>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad::detail {

/// f(row of a, row of b, length) for every row of two tensors of one shape and floating dtype, rank 1 or more.
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

/// to[i] = x[i] - log(sum exp(x)), shifted by the largest element, so that nothing overflows; the sum in double.
template <class T>
void log_softmax_row(const T* x, T* to, Index n) {
  T largest = x[0];
  for (Index i = 1; i < n; ++i) largest = std::max(largest, x[i]);
  double total = 0;
  for (Index i = 0; i < n; ++i) total += static_cast<double>(std::exp(x[i] - largest));
  const T log_total = static_cast<T>(std::log(total));
  for (Index i = 0; i < n; ++i) to[i] = x[i] - largest - log_total;
}

}  // namespace bitgrad::detail
