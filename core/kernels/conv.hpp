// Two-dimensional convolution (correlation, as in every deep-learning library). Layouts and extents: geometry.hpp.
#pragma once

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/kernels/reference.hpp>

namespace bitgrad::kernels {

/// y = x convolved with the HWIO kernel; y is overwritten. Each image is computed on its own, by matrix products whose
/// extents do not depend on the batch: the same image gives the same bytes in a batch of any size.
void conv2d_forward(const Conv2DGeometry& geometry, const float* x, const float* kernel, float* y);

/// dx += gradient of the input.
void conv2d_data_gradient(const Conv2DGeometry& geometry, const float* dy, const float* kernel, float* dx);

/// dkernel += gradient of the kernel: sums over fixed pieces of the batch, added in order.
void conv2d_kernel_gradient(const Conv2DGeometry& geometry, const float* x, const float* dy, float* dkernel);

/// y[row, :] = x[row, :] * weights for `rows` rows of `in` elements and weights (in, out), y overwritten. A row gives the same
/// bytes whatever the other rows and their number, which a BLAS product does not promise: the sum runs over the inputs in
/// order, one multiplication and one addition each.
void dense_forward(Index rows, Index in, Index out, const float* x, const float* weights, float* y);

// The same in double, for gradient checks: the reference kernels.
inline void conv2d_forward(const Conv2DGeometry& geometry, const double* x, const double* kernel, double* y) {
  reference::conv2d_forward(geometry, x, kernel, y);
}
inline void conv2d_data_gradient(const Conv2DGeometry& geometry, const double* dy, const double* kernel, double* dx) {
  reference::conv2d_data_gradient(geometry, dy, kernel, dx);
}
inline void conv2d_kernel_gradient(const Conv2DGeometry& geometry, const double* x, const double* dy, double* dkernel) {
  reference::conv2d_kernel_gradient(geometry, x, dy, dkernel);
}

}  // namespace bitgrad::kernels
