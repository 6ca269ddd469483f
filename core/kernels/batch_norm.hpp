// Batch normalization (Ioffe and Szegedy 2015) of [rows, channels]: an NHWC tensor has batch * height * width rows. For
// float and double, in the thread pool; the same bits for any number of threads and under every instruction set.
#pragma once

#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// mean[c] and variance[c] of the columns, the variance divided by `rows` (the biased one, which normalization uses).
/// Sums run in double over x - x[0], so that a large mean costs no digits. Needs at least one row: ShapeError
/// otherwise.
template <class T>
void batch_norm_statistics(Index rows, Index channels, const T* x, T* mean, T* variance);

/// y = (x - mean) * f + beta with f = gamma / sqrt(variance + epsilon), evaluated as written, every step rounded to T.
/// With the batch's statistics in training, the running ones afterwards. y may be x.
template <class T>
void batch_norm_forward(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                        const T* gamma, const T* beta, T* y);

/// Gradients of batch_norm_forward; those of gamma and beta are added. Each of dx, dgamma and dbeta may be null.
template <class T>
struct BatchNormGradients {
  T* dx;                     ///< [rows, channels]
  T* dgamma;                 ///< [channels]
  T* dbeta;                  ///< [channels]
  Store store = Store::add;  ///< of dx
};

/// When mean and variance are those of x itself, so that gradients flow through them.
template <class T>
void batch_norm_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                         const T* gamma, const T* dy, BatchNormGradients<T> gradients);

/// When mean and variance are constants.
template <class T>
void batch_norm_frozen_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                                const T* gamma, const T* dy, BatchNormGradients<T> gradients);

}  // namespace bitgrad::kernels
