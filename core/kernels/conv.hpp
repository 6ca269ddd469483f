// Two-dimensional convolution (correlation, as in every deep-learning library). Layouts and extents: geometry.hpp.
#pragma once

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/kernels/reference.hpp>
#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

// Direct convolution, without a matrix of windows: isa/convolution.inc has the loops. Every output is one sum over
// kernel rows, columns and channels in a fixed order, with one rounding per product where the instruction set has a
// fused multiply-add and two at the baseline: the same image gives the same bytes in a batch of any size and for any
// number of threads.

/// y = bias + x convolved with the HWIO kernel; y is overwritten. `bias`, [out_c], is where the sums start; null for
/// zeros.
void conv2d_forward(const Conv2DGeometry& geometry, const float* x, const float* kernel, const float* bias, float* y);

/// dx (+)= gradient of the input.
void conv2d_data_gradient(const Conv2DGeometry& geometry, const float* dy, const float* kernel, Store store, float* dx);

/// dkernel += gradient of the kernel: sums over fixed pieces of the batch, added in order.
void conv2d_kernel_gradient(const Conv2DGeometry& geometry, const float* x, const float* dy, float* dkernel);

// The same in double, for gradient checks: the reference kernels.
inline void conv2d_forward(const Conv2DGeometry& geometry, const double* x, const double* kernel, const double* bias,
                           double* y) {
  reference::conv2d_forward(geometry, x, kernel, y);
  if (bias == nullptr) return;
  for (Index i = 0; i < output_shape(geometry).size(); ++i) y[i] += bias[i % geometry.out_c];
}
inline void conv2d_data_gradient(const Conv2DGeometry& geometry, const double* dy, const double* kernel, Store store,
                                 double* dx) {
  if (store == Store::overwrite) std::fill_n(dx, input_shape(geometry).size(), 0.0);
  reference::conv2d_data_gradient(geometry, dy, kernel, dx);
}
inline void conv2d_kernel_gradient(const Conv2DGeometry& geometry, const double* x, const double* dy, double* dkernel) {
  reference::conv2d_kernel_gradient(geometry, x, dy, dkernel);
}

}  // namespace bitgrad::kernels
