#include <bitgrad/core/kernels/geometry.hpp>

#include <algorithm>
#include <string_view>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad {
namespace {

/// One axis of a sliding window.
struct AxisGeometry {
  Index before, after, out;
};

/// `what` is the operation, `axis` "height" or "width"; both only for messages.
AxisGeometry slide(std::string_view what, std::string_view axis, Index in, Index window, Index stride,
                   Padding::Kind kind, Index before, Index after) {
  if (stride < 1) fail<ValueError>(what, ": stride ", stride, " along the ", axis, ", expected at least 1");
  if (before < 0 || after < 0)
    fail<ValueError>(what, ": negative padding ", std::min(before, after), " along the ", axis);
  if (kind == Padding::Kind::same) {
    const Index out = (in + stride - 1) / stride;
    const Index total = std::max<Index>((out - 1) * stride + window - in, 0);
    return {total / 2, total - total / 2, out};
  }
  if (kind == Padding::Kind::valid) before = after = 0;
  const Index padded = in + before + after;
  if (padded < window)
    fail<ShapeError>(what, ": a window of ", axis, " ", window, " does not fit an input of ", axis, " ", in,
                     padded == in ? "" : message(" (", padded, " with padding)"));
  return {before, after, (padded - window) / stride + 1};
}

void check_input(std::string_view what, const Shape& input) {
  if (input.rank() != 4)
    fail<ShapeError>(what, ": input ", input, " has rank ", input.rank(),
                     ", expected 4 (batch, height, width, channels)");
  if (input[1] < 1 || input[2] < 1 || input[3] < 1)
    fail<ShapeError>(what, ": input ", input, " has an empty axis, expected at least 1 pixel and 1 channel");
}

void check_pool_padding(std::string_view what, std::string_view axis, const AxisGeometry& geometry, Index window) {
  const Index most = std::max(geometry.before, geometry.after);
  if (most >= window)
    fail<ValueError>(what, ": padding ", most, " along the ", axis, " must be smaller than the window of ", window);
}

}  // namespace

Padding Padding::valid() { return {}; }

Padding Padding::same() {
  Padding padding;
  padding.kind = Kind::same;
  return padding;
}

Padding Padding::explicit_(Index top, Index bottom, Index left, Index right) {
  if (std::min({top, bottom, left, right}) < 0)
    fail<ValueError>("padding (", top, ", ", bottom, ", ", left, ", ", right,
                     ") has a negative side, expected 0 or more");
  return {Kind::explicit_, top, bottom, left, right};
}

Conv2DGeometry conv2d_geometry(const Shape& input, const Shape& kernel, Stride stride, Padding padding,
                               Dilation dilation, Index groups) {
  check_input("conv2d", input);
  if (groups < 1) fail<ValueError>("conv2d: ", groups, " groups, expected at least 1");
  if (dilation.h < 1 || dilation.w < 1)
    fail<ValueError>("conv2d: dilation (", dilation.h, ", ", dilation.w, "), expected at least (1, 1)");
  if (kernel.rank() != 4)
    fail<ShapeError>("conv2d: kernel ", kernel, " has rank ", kernel.rank(),
                     ", expected 4 (height, width, input channels, output channels)");
  if (kernel[0] < 1 || kernel[1] < 1 || kernel[3] < 1)
    fail<ShapeError>("conv2d: kernel ", kernel, " has an empty axis, expected at least 1 pixel and 1 output channel");
  if (input[3] % groups != 0 || kernel[3] % groups != 0)
    fail<ShapeError>("conv2d: input ", input, " and kernel ", kernel, ": ", input[3], " input and ", kernel[3],
                     " output channels, expected multiples of the ", groups, " groups");
  if (kernel[2] != input[3] / groups)
    fail<ShapeError>("conv2d: input ", input, " has ", input[3], " channels, kernel ", kernel, " expects ", kernel[2],
                     groups == 1 ? "" : message(" in each of ", groups, " groups"));
  const AxisGeometry h = slide("conv2d", "height", input[1], (kernel[0] - 1) * dilation.h + 1, stride.h, padding.kind,
                               padding.top, padding.bottom);
  const AxisGeometry w = slide("conv2d", "width", input[2], (kernel[1] - 1) * dilation.w + 1, stride.w, padding.kind,
                               padding.left, padding.right);
  return {.batch = input[0],
          .in_h = input[1],
          .in_w = input[2],
          .in_c = input[3],
          .k_h = kernel[0],
          .k_w = kernel[1],
          .out_c = kernel[3],
          .stride_h = stride.h,
          .stride_w = stride.w,
          .dilation_h = dilation.h,
          .dilation_w = dilation.w,
          .groups = groups,
          .pad_top = h.before,
          .pad_bottom = h.after,
          .pad_left = w.before,
          .pad_right = w.after,
          .out_h = h.out,
          .out_w = w.out};
}

namespace {

/// One axis of a transposed convolution: what is cut off in front and behind, and what is left.
AxisGeometry slide_back(std::string_view axis, Index in, Index window, Index stride, Padding::Kind kind, Index before,
                        Index after) {
  constexpr std::string_view what = "conv2d_transpose";
  if (stride < 1) fail<ValueError>(what, ": stride ", stride, " along the ", axis, ", expected at least 1");
  if (kind == Padding::Kind::same) {
    const Index total = std::max<Index>(window - stride, 0);
    return {total / 2, total - total / 2, in * stride};
  }
  if (kind == Padding::Kind::valid) return {0, 0, (in - 1) * stride + std::max(window, stride)};
  if (std::min(before, after) < 0 || std::max(before, after) >= window)
    fail<ValueError>(what, ": padding ", before, " and ", after, " along the ", axis,
                     ", expected at least 0 and less than the window of ", window);
  const Index out = (in - 1) * stride + window - before - after;
  if (out < 1)
    fail<ShapeError>(what, ": padding ", before, " and ", after, " along the ", axis, " leaves nothing of ",
                     out + before + after, " pixels");
  return {before, after, out};
}

}  // namespace

Conv2DGeometry conv2d_transpose_geometry(const Shape& input, const Shape& kernel, Stride stride, Padding padding,
                                         Dilation dilation) {
  constexpr const char* what = "conv2d_transpose";
  check_input(what, input);
  if (dilation.h < 1 || dilation.w < 1)
    fail<ValueError>(what, ": dilation (", dilation.h, ", ", dilation.w, "), expected at least (1, 1)");
  if (kernel.rank() != 4 || kernel[0] < 1 || kernel[1] < 1 || kernel[3] < 1 || kernel[2] != input[3])
    fail<ShapeError>(what, ": input ", input, " and kernel ", kernel,
                     ", expected (batch, height, width, C) and (height, width, C, output channels)");
  const AxisGeometry h = slide_back("height", input[1], (kernel[0] - 1) * dilation.h + 1, stride.h, padding.kind,
                                    padding.top, padding.bottom);
  const AxisGeometry w = slide_back("width", input[2], (kernel[1] - 1) * dilation.w + 1, stride.w, padding.kind,
                                    padding.left, padding.right);
  return {.batch = input[0],
          .in_h = h.out,
          .in_w = w.out,
          .in_c = kernel[3],
          .k_h = kernel[0],
          .k_w = kernel[1],
          .out_c = kernel[2],
          .stride_h = stride.h,
          .stride_w = stride.w,
          .dilation_h = dilation.h,
          .dilation_w = dilation.w,
          .groups = 1,
          .pad_top = h.before,
          .pad_bottom = h.after,
          .pad_left = w.before,
          .pad_right = w.after,
          .out_h = input[1],
          .out_w = input[2]};
}

Padding padding_between_zeros(const Conv2DGeometry& g) {
  const Index rows = (g.k_h - 1) * g.dilation_h, columns = (g.k_w - 1) * g.dilation_w;
  const Index top = rows - g.pad_top, left = columns - g.pad_left;
  return Padding::explicit_(top, g.in_h + rows - ((g.out_h - 1) * g.stride_h + 1) - top, left,
                            g.in_w + columns - ((g.out_w - 1) * g.stride_w + 1) - left);
}

Shape input_shape(const Conv2DGeometry& g) { return {g.batch, g.in_h, g.in_w, g.in_c}; }
Shape kernel_shape(const Conv2DGeometry& g) { return {g.k_h, g.k_w, g.in_c / g.groups, g.out_c}; }
Shape output_shape(const Conv2DGeometry& g) { return {g.batch, g.out_h, g.out_w, g.out_c}; }

Pool2DGeometry pool2d_geometry(const Shape& input, PoolWindow window, Stride stride, Padding padding,
                               const char* what) {
  check_input(what, input);
  if (window.h < 1 || window.w < 1)
    fail<ValueError>(what, ": window (", window.h, ", ", window.w, "), expected at least (1, 1)");
  const AxisGeometry h = slide(what, "height", input[1], window.h, stride.h, padding.kind, padding.top, padding.bottom);
  const AxisGeometry w = slide(what, "width", input[2], window.w, stride.w, padding.kind, padding.left, padding.right);
  check_pool_padding(what, "height", h, window.h);
  check_pool_padding(what, "width", w, window.w);
  return {.batch = input[0],
          .in_h = input[1],
          .in_w = input[2],
          .channels = input[3],
          .k_h = window.h,
          .k_w = window.w,
          .stride_h = stride.h,
          .stride_w = stride.w,
          .pad_top = h.before,
          .pad_bottom = h.after,
          .pad_left = w.before,
          .pad_right = w.after,
          .out_h = h.out,
          .out_w = w.out};
}

Shape input_shape(const Pool2DGeometry& g) { return {g.batch, g.in_h, g.in_w, g.channels}; }
Shape output_shape(const Pool2DGeometry& g) { return {g.batch, g.out_h, g.out_w, g.channels}; }

}  // namespace bitgrad
