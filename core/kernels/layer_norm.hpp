// Layer normalization (Ba, Kiros, Hinton 2016) of [rows, width], for float and double, in the thread pool: the same
// bits for any number of threads and under every instruction set. A row is normalised by itself:
//   n = (x - mean) * factor,  factor = 1 / sqrt(variance + epsilon),  y = n * gamma + beta
// with mean and variance (biased) of the row's elements, summed in double.
#pragma once

#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// Writes y, and mean and factor of every row ([rows] each) for the gradient. gamma and beta [width].
template <class T>
void layer_norm_forward(Index rows, Index width, double epsilon, const T* x, const T* gamma, const T* beta, T* y,
                        T* means, T* factors);

/// dx (+)= factor * (v - mean(v) - n * mean(v * n)) with v = dy * gamma, means over the row.
template <class T>
void layer_norm_gradient(Index rows, Index width, const T* x, const T* means, const T* factors, const T* gamma,
                         const T* dy, Store store, T* dx);

/// dgamma += the sum of dy * n over the rows.
template <class T>
void layer_norm_gamma_gradient(Index rows, Index width, const T* x, const T* means, const T* factors, const T* dy,
                               T* dgamma);

}  // namespace bitgrad::kernels
