// Two-dimensional pooling, channels last.
#pragma once

#include <optional>

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad {

/// Window and stride in pixels; without a stride, windows lie side by side.
struct Pool2DArguments {
  PoolWindow window{};
  std::optional<Stride> stride{};
  Padding padding = Padding::valid();
};

/// Largest pixel of each window: x [N, H, W, C] → [N, H', W', C]. Padding never wins, NaN always does; of equal pixels
/// the first (row by row) takes the gradient. Throws ShapeError for a rank other than 4 or a window larger than the
/// padded image, ValueError for windows and strides below 1 or padding that is negative or as large as the window.
Variable max_pool2d(const Variable& x, const Pool2DArguments& options = {});

/// Mean of the pixels of each window; padding does not count (the rule of TensorFlow and TFLite). Throws as max_pool2d.
Variable average_pool2d(const Variable& x, const Pool2DArguments& options = {});

/// Mean of all pixels of each image and channel: [N, H, W, C] → [N, C]. Throws ShapeError for a rank other than 4.
Variable global_average_pool2d(const Variable& x);

}  // namespace bitgrad
