// Two-dimensional convolution (cross-correlation, as everywhere in deep learning), channels last.
#pragma once

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad {

/// Distance of windows in pixels, the zeros around the image, distance of a kernel's pixels, and the number of equal
/// parts into which channels are cut, each of them a convolution of its own.
struct Conv2DArguments {
  Stride stride{};
  Padding padding = Padding::valid();
  Dilation dilation{};
  Index groups = 1;
};

/// conv2d_geometry() of core/kernels/geometry.hpp with these arguments.
inline Conv2DGeometry conv2d_geometry(const Shape& input, const Shape& kernel, const Conv2DArguments& window) {
  return conv2d_geometry(input, kernel, window.stride, window.padding, window.dilation, window.groups);
}

/// conv2d_transpose_geometry() of core/kernels/geometry.hpp with these arguments; ValueError for groups other than 1.
Conv2DGeometry conv2d_transpose_geometry(const Shape& input, const Shape& kernel, const Conv2DArguments& window);

/// x [N, H, W, C] with kernel [kh, kw, C / groups, O] (HWIO) → [N, H', W', O]. Throws ShapeError for ranks, channels or
/// extents that do not fit, ValueError for strides, dilations and groups below 1 or negative padding.
Variable conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options = {});
/// The same plus a bias [O], without another pass over y: the sums start from it. Throws likewise, ShapeError for a
/// bias of another shape.
Variable conv2d(const Variable& x, const Variable& kernel, const Variable& bias, const Conv2DArguments& options);

/// Every channel on its own: x [N, H, W, C] with kernel [kh, kw, C, M] (HWCM) → [N, H', W', C * M], of which output
/// c * M + m is channel c under kernel [:, :, c, m]. options.groups stays 1. For kernels in Keras' layout: the layer
/// DepthwiseConv2D uses conv2d() with groups. Throws as conv2d does.
Variable depthwise_conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options = {});

/// Transposed convolution, the input gradient of conv2d(): every pixel of x [N, H, W, C] adds its multiple of the
/// kernel [kh, kw, C, O] to the result [N, H', W', O] around (h * stride, w * stride); H' and W' as in
/// conv2d_transpose_geometry(). The kernel is not turned: it is Keras' [kh, kw, O, C] and PyTorch's [C, O, kh, kw] with
/// the axes in another order. options.groups stays 1. Throws ShapeError for ranks, channels or extents that do not fit,
/// ValueError for strides, dilations and groups that are no positive numbers and for padding as large as the kernel.
Variable conv2d_transpose(const Variable& x, const Variable& kernel, const Conv2DArguments& options = {});
/// The same plus a bias [O]. Throws likewise, ShapeError for a bias of another shape.
Variable conv2d_transpose(const Variable& x, const Variable& kernel, const Variable& bias,
                          const Conv2DArguments& options);

}  // namespace bitgrad
