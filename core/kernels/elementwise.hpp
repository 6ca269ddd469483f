// Elementwise operations on n contiguous elements and on rows, for float and double, in the thread pool. Results are
// the same bits under every instruction set (sums and log: for any number of threads). y may be one of the operands.
// Gradients add or overwrite as their Store says, add_column_sums* add, all others overwrite.
#pragma once

#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

// y = a op b.
template <class T>
void add(Index n, const T* a, const T* b, T* y);
template <class T>
void subtract(Index n, const T* a, const T* b, T* y);
template <class T>
void multiply(Index n, const T* a, const T* b, T* y);
template <class T>
void divide(Index n, const T* a, const T* b, T* y);

// y[r, c] = x[r, c] op row[c] for x of [rows, channels] and a row of [channels]: a bias, a scale per channel.
template <class T>
void add_row(Index rows, Index channels, const T* x, const T* row, T* y);
template <class T>
void subtract_row(Index rows, Index channels, const T* x, const T* row, T* y);
template <class T>
void multiply_row(Index rows, Index channels, const T* x, const T* row, T* y);
template <class T>
void divide_row(Index rows, Index channels, const T* x, const T* row, T* y);

/// y = factor * x
template <class T>
void scale(Index n, T factor, const T* x, T* y);

/// y = max(x, 0); NaN stays NaN. Gradient: dy where x > 0.
template <class T>
void relu(Index n, const T* x, T* y);
template <class T>
void relu_gradient(Index n, const T* x, const T* dy, Store store, T* dx);
/// Gradient of clip(x, 0, 6) as a ReLU6: dy where 0 < x < 6, so that it agrees with relu_gradient at 0.
template <class T>
void relu6_gradient(Index n, const T* x, const T* dy, Store store, T* dx);
/// y = min(max(x, lo), hi), lo <= hi, either may be infinite; NaN stays NaN. Gradient: dy where lo <= x <= hi.
template <class T>
void clip(Index n, T lo, T hi, const T* x, T* y);
template <class T>
void clip_gradient(Index n, T lo, T hi, const T* x, const T* dy, Store store, T* dx);
/// y = |x|. Gradient: dy * sign(x), 0 at 0.
template <class T>
void absolute(Index n, const T* x, T* y);
template <class T>
void absolute_gradient(Index n, const T* x, const T* dy, Store store, T* dx);
/// y = a where the mask is not 0, b elsewhere; either may be y. Gradients: dy where the mask is not 0, and where it is.
template <class T>
void choose(Index n, const T* mask, const T* a, const T* b, T* y);
template <class T>
void chosen_gradient(Index n, const T* mask, const T* dy, Store store, T* dx);
template <class T>
void rejected_gradient(Index n, const T* mask, const T* dy, Store store, T* dx);
/// y = sqrt(x). Gradient from the result y: dy / (2 y).
template <class T>
void square_root(Index n, const T* x, T* y);
template <class T>
void square_root_gradient(Index n, const T* y, const T* dy, Store store, T* dx);
/// y = e^x, less than 1.3 ulp from it in float and double; infinite and zero beyond the range of T. Gradient from the
/// result y: dy * y.
template <class T>
void exponential(Index n, const T* x, T* y);
template <class T>
void exponential_gradient(Index n, const T* y, const T* dy, Store store, T* dx);
/// y = ln x. Gradient: dy / x.
template <class T>
void logarithm(Index n, const T* x, T* y);
template <class T>
void logarithm_gradient(Index n, const T* x, const T* dy, Store store, T* dx);
/// y = 1 / (1 + e^-x), with that e^x. Gradient from the result y: dy * (y * (1 - y)).
template <class T>
void sigmoid(Index n, const T* x, T* y);
template <class T>
void sigmoid_gradient(Index n, const T* y, const T* dy, Store store, T* dx);

/// sums[c] += sum over rows of x[r, c], added in double over fixed chunks in fixed order, rounded once: the gradient of
/// a bias. With channels = 1 a sum of everything.
template <class T>
void add_column_sums(Index rows, Index channels, const T* x, T* sums);
/// sums[c] += sum over rows of a[r, c] * b[r, c], likewise (each product rounded to T): the gradient of a scale.
template <class T>
void add_column_sums_of_product(Index rows, Index channels, const T* a, const T* b, T* sums);

}  // namespace bitgrad::kernels
