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

/// x [N, H, W, C] with kernel [kh, kw, C / groups, O] (HWIO) → [N, H', W', O]. Throws ShapeError for ranks, channels or
/// extents that do not fit, ValueError for strides, dilations and groups below 1 or negative padding.
Variable conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options = {});
/// The same plus a bias [O], without another pass over y: the sums start from it.
Variable conv2d(const Variable& x, const Variable& kernel, const Variable& bias, const Conv2DArguments& options);

/// Every channel on its own: x [N, H, W, C] with kernel [kh, kw, C, M] (HWCM) → [N, H', W', C * M], of which output
/// c * M + m is channel c under kernel [:, :, c, m]. options.groups stays 1. For kernels in Keras' layout: the layer
/// DepthwiseConv2D uses conv2d() with groups. Throws as conv2d does.
Variable depthwise_conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options = {});

}  // namespace bitgrad
