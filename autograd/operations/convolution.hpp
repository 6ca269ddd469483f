// Two-dimensional convolution (cross-correlation, as everywhere in deep learning), channels last.
#pragma once

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad {

/// Distance of windows in pixels and the zeros around the image.
struct Conv2DArguments {
  Stride stride{};
  Padding padding = Padding::valid();
};

/// x [N, H, W, C] with kernel [kh, kw, C, O] (HWIO) → [N, H', W', O]. No bias: add one over the last axis. Throws
/// ShapeError for ranks, channels or extents that do not fit, ValueError for strides below 1 or negative padding.
Variable conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options = {});

}  // namespace bitgrad
