// Shapes and windows in ONNX's terms: images NCHW, everything else as in the graph.
#pragma once

#include <vector>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/shape.hpp>
#include <bitgrad/qat/export/detail/onnx_model.hpp>

namespace bitgrad::onnx {

/// Extents per sample: (h, w, c) becomes {c, h, w}.
inline Dims dims_of(const Shape& shape) {
  if (shape.rank() == 3) return {shape[2], shape[0], shape[1]};
  return {shape.extents().begin(), shape.extents().end()};
}

/// An axis of the per-sample shape as an axis of the file's tensor, which has the batch in front.
inline Index axis_of(int axis, int rank) {
  if (axis < 0) axis += rank;
  constexpr Index image[] = {2, 3, 1};
  return rank == 3 ? image[axis] : axis + 1;
}

/// Attributes of a convolution or pooling.
template <class Geometry>
std::vector<Attribute> window_attributes(const Geometry& g, Index pad_bottom, Index pad_right) {
  return {{"kernel_shape", Dims{g.k_h, g.k_w}},
          {"pads", Dims{g.pad_top, g.pad_left, pad_bottom, pad_right}},
          {"strides", Dims{g.stride_h, g.stride_w}}};
}

/// Padding at the end of an axis such that exactly `out` windows fit. Rows that fill no window need none.
inline Index end_padding(Index in, Index window, Index stride, Index before, Index out) {
  const Index needed = (out - 1) * stride + window - in - before;
  return needed > 0 ? needed : 0;
}

inline std::vector<Attribute> window_attributes(const Pool2DGeometry& g) {
  return window_attributes(g, end_padding(g.in_h, g.k_h, g.stride_h, g.pad_top, g.out_h),
                           end_padding(g.in_w, g.k_w, g.stride_w, g.pad_left, g.out_w));
}

/// A dilated kernel covers its gaps as well.
inline std::vector<Attribute> window_attributes(const Conv2DGeometry& g) {
  const Index height = (g.k_h - 1) * g.dilation_h + 1, width = (g.k_w - 1) * g.dilation_w + 1;
  std::vector<Attribute> result = window_attributes(g, end_padding(g.in_h, height, g.stride_h, g.pad_top, g.out_h),
                                                    end_padding(g.in_w, width, g.stride_w, g.pad_left, g.out_w));
  if (g.dilation_h != 1 || g.dilation_w != 1) result.push_back({"dilations", Dims{g.dilation_h, g.dilation_w}});
  if (g.groups != 1) result.push_back({"group", g.groups});
  return result;
}

}  // namespace bitgrad::onnx
