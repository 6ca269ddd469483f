// Convolution as a matrix product: windows of the image laid out as the rows of a matrix.
#pragma once

#include <algorithm>

#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad::kernels {

/// Elements of one window: k_h * k_w * in_c, in the order of the HWIO kernel's rows.
inline Index window_size(const Conv2DGeometry& g) { return g.k_h * g.k_w * g.in_c; }

/// True when the image itself is the matrix: a 1x1 kernel, stride 1, no padding.
inline bool is_pointwise(const Conv2DGeometry& g) {
  return g.k_h == 1 && g.k_w == 1 && g.stride_h == 1 && g.stride_w == 1 && g.out_h == g.in_h && g.out_w == g.in_w;
}

/// Writes the windows of output rows [row_begin, row_end) of the whole batch (row = image * out_h + oh) as a matrix of
/// (row_end - row_begin) * out_w rows and window_size columns; padding is zero. Without dilation and groups.
template <class T>
void im2col(const Conv2DGeometry& g, const T* x, Index row_begin, Index row_end, T* matrix) {
  for (Index row = row_begin; row < row_end; ++row) {
    const Index image = row / g.out_h;
    const Index top = row % g.out_h * g.stride_h - g.pad_top;
    for (Index ow = 0; ow < g.out_w; ++ow) {
      const Index left = ow * g.stride_w - g.pad_left;
      const Index first = std::clamp<Index>(-left, 0, g.k_w);
      const Index last = std::clamp<Index>(g.in_w - left, first, g.k_w);  // kernel columns [first, last) lie inside
      for (Index ih = top; ih < top + g.k_h; ++ih) {
        const bool inside = ih >= 0 && ih < g.in_h && last > first;
        const Index length = inside ? (last - first) * g.in_c : 0;
        matrix = std::fill_n(matrix, inside ? first * g.in_c : g.k_w * g.in_c, T{0});
        if (!inside) continue;
        matrix = std::copy_n(x + ((image * g.in_h + ih) * g.in_w + left + first) * g.in_c, length, matrix);
        matrix = std::fill_n(matrix, (g.k_w - last) * g.in_c, T{0});
      }
    }
  }
}

}  // namespace bitgrad::kernels
