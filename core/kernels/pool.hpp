// Two-dimensional max and average pooling. Layouts and extents: geometry.hpp.
#pragma once

#include <cstdint>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/kernels/reference.hpp>
#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// y = largest pixel of each window, argmax (of y's shape) = its position kh * k_w + kw inside the window, the first
/// one of several. NaN beats everything; padding never wins. Both are overwritten.
void max_pool2d_forward(const Pool2DGeometry& geometry, const float* x, float* y, std::int32_t* argmax);

/// dx at each window's winner += dy, where dx starts at zero or at what it holds.
void max_pool2d_gradient(const Pool2DGeometry& geometry, const std::int32_t* argmax, const float* dy, Store store,
                         float* dx);

/// y = sum of each window's pixels, added row by row, divided by their number. Padding does not count (TensorFlow,
/// TFLite, and ONNX with count_include_pad = 0). Global average pooling is a window of the size of the image.
void average_pool2d_forward(const Pool2DGeometry& geometry, const float* x, float* y);

/// dx at each pixel of a window += dy / number of its pixels, likewise.
void average_pool2d_gradient(const Pool2DGeometry& geometry, const float* dy, Store store, float* dx);

// The same in double, for gradient checks: the reference kernels.
inline void max_pool2d_forward(const Pool2DGeometry& geometry, const double* x, double* y, std::int32_t* argmax) {
  reference::max_pool2d_forward(geometry, x, y, argmax);
}
inline void max_pool2d_gradient(const Pool2DGeometry& geometry, const std::int32_t* argmax, const double* dy,
                                Store store, double* dx) {
  if (store == Store::overwrite) std::fill_n(dx, input_shape(geometry).size(), 0.0);
  reference::max_pool2d_gradient(geometry, argmax, dy, dx);
}
inline void average_pool2d_forward(const Pool2DGeometry& geometry, const double* x, double* y) {
  reference::average_pool2d_forward(geometry, x, y);
}
inline void average_pool2d_gradient(const Pool2DGeometry& geometry, const double* dy, Store store, double* dx) {
  if (store == Store::overwrite) std::fill_n(dx, input_shape(geometry).size(), 0.0);
  reference::average_pool2d_gradient(geometry, dy, dx);
}

}  // namespace bitgrad::kernels
