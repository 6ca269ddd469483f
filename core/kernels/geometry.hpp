// Extents of two-dimensional convolutions and poolings, worked out and checked once.
// Plain data without inline functions: the kernel sources compiled per instruction set include this file.
#pragma once

#include <cstdint>

namespace bitgrad {

class Shape;
using Index = std::int64_t;

/// Distance in pixels between neighbouring windows, down and across.
struct Stride {
  Index h = 1;
  Index w = 1;
};

/// Distance in pixels between neighbouring positions of a kernel in the image: 1 has no gaps.
struct Dilation {
  Index h = 1;
  Index w = 1;
};

/// Zeros around the image (for pooling: pixels that do not count).
struct Padding {
  enum class Kind { valid, same, explicit_ };

  /// No padding: windows lie inside the image; rows and columns that fill no whole window are dropped.
  static Padding valid();
  /// TensorFlow's SAME: out = ceil(in / stride), the padding (out - 1) * stride + kernel - in split in two halves, the
  /// odd pixel at the bottom or right; a dilated kernel counts with its gaps.
  static Padding same();
  /// Pixels added on each side; ValueError for a negative number.
  static Padding explicit_(Index top, Index bottom, Index left, Index right);

  Kind kind = Kind::valid;
  Index top = 0, bottom = 0, left = 0, right = 0;  ///< used when explicit_
};

/// Input NHWC (batch, in_h, in_w, in_c), kernel HWIO (k_h, k_w, in_c / groups, out_c), output NHWC (batch, out_h,
/// out_w, out_c). Channels are cut into `groups` equal parts: the outputs of one part see the inputs of the same part
/// only.
struct Conv2DGeometry {
  Index batch = 0, in_h = 0, in_w = 0, in_c = 0;
  Index k_h = 0, k_w = 0, out_c = 0;
  Index stride_h = 1, stride_w = 1;
  Index dilation_h = 1, dilation_w = 1;
  Index groups = 1;
  Index pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  Index out_h = 0, out_w = 0;
};

/// Input NHWC (batch, in_h, in_w, channels), output NHWC (batch, out_h, out_w, channels).
struct Pool2DGeometry {
  Index batch = 0, in_h = 0, in_w = 0, channels = 0;
  Index k_h = 0, k_w = 0;
  Index stride_h = 1, stride_w = 1;
  Index pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  Index out_h = 0, out_w = 0;
};

/// Window extents of a pooling, in pixels.
struct PoolWindow {
  Index h = 2;
  Index w = 2;
};

/// The geometry of a convolution. Throws ShapeError naming the mismatch: ranks other than 4, channels that differ or do
/// not divide by the groups, extents below 1 (a batch of 0 is fine), a kernel larger than the padded image; ValueError
/// for strides, dilations and groups below 1 and negative padding.
Conv2DGeometry conv2d_geometry(const Shape& input, const Shape& kernel, Stride stride, Padding padding,
                               Dilation dilation = {}, Index groups = 1);
Shape input_shape(const Conv2DGeometry& geometry);
Shape kernel_shape(const Conv2DGeometry& geometry);
Shape output_shape(const Conv2DGeometry& geometry);

/// The convolution whose input gradient a transposed convolution is: its output has the shape of the transposed one's
/// `input` (batch, h, w, in), its input that of the result (batch, h', w', out), for a `kernel` (k_h, k_w, in, out).
/// With k' = (k - 1) * dilation + 1 along an axis the result has, as in Keras' Conv2DTranspose,
///   same      h' = h * stride
///   valid     h' = (h - 1) * stride + max(k', stride)
///   explicit  h' = (h - 1) * stride + k' - before - after: the padding of the convolution, cut off here; PyTorch's
///             padding p and output_padding q are p before and p - q after
/// Throws as conv2d_geometry does, ValueError for explicit padding of k' or more, ShapeError where nothing is left.
Conv2DGeometry conv2d_transpose_geometry(const Shape& input, const Shape& kernel, Stride stride, Padding padding,
                                         Dilation dilation = {});
/// The zeros around the image in the other form of that transposed convolution, as a convolution with stride 1 and the
/// kernel turned by 180 degrees: of the image that has stride - 1 zeros between neighbouring pixels.
Padding padding_between_zeros(const Conv2DGeometry& geometry);

/// The geometry of a pooling. Throws as conv2d_geometry does, and ValueError for padding as large as the window: every
/// window must see at least one pixel. `what` names the operation in messages.
Pool2DGeometry pool2d_geometry(const Shape& input, PoolWindow window, Stride stride, Padding padding,
                               const char* what = "pool2d");
Shape input_shape(const Pool2DGeometry& geometry);
Shape output_shape(const Pool2DGeometry& geometry);

}  // namespace bitgrad
