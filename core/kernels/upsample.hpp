// Images enlarged by whole factors, channels last, in the thread pool: the same bits under every instruction set.
#pragma once

#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// How often every row and every column of an image appears.
struct UpsampleFactor {
  Index h = 2;
  Index w = 2;
};

/// nearest: every pixel is repeated. bilinear: between the centres of the four nearest pixels, the border repeated, as
/// in Keras and PyTorch (align_corners = False): output o lies at (o + 1/2) / factor - 1/2 of the input.
enum class Interpolation { nearest, bilinear };

namespace kernels {

/// From [batch, in_h, in_w, channels] to [batch, in_h * factor.h, in_w * factor.w, channels].
struct Upsample2DGeometry {
  Index batch = 0, in_h = 0, in_w = 0, channels = 0;
  UpsampleFactor factor;
};

/// Every pixel repeated: float, double or int32.
template <class T>
void upsample2d_nearest(const Upsample2DGeometry& geometry, const T* x, T* y);
/// dx (+)= the sum of dy over the copies of each pixel, row by row.
template <class T>
void upsample2d_nearest_gradient(const Upsample2DGeometry& geometry, const T* dy, Store store, T* dx);

/// (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d) of the pixels a, b above and c, d below.
template <class T>
void upsample2d_bilinear(const Upsample2DGeometry& geometry, const T* x, T* y);
template <class T>
void upsample2d_bilinear_gradient(const Upsample2DGeometry& geometry, const T* dy, Store store, T* dx);

}  // namespace kernels
}  // namespace bitgrad
