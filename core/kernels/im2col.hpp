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

namespace detail {

/// Walks output rows [row_begin, row_end) of the whole batch (row = image * out_h + oh). For every kernel row of every window,
/// f(matrix, image, skip, length) gets the offsets of that stretch in the matrix and in the input, where `length` of
/// k_w * in_c elements from `skip` on lie inside the image and the others are padding.
template <class F>
void for_each_stretch(const Conv2DGeometry& g, Index row_begin, Index row_end, F&& f) {
  Index matrix = 0;
  for (Index row = row_begin; row < row_end; ++row) {
    const Index image = row / g.out_h;
    const Index top = row % g.out_h * g.stride_h - g.pad_top;
    for (Index ow = 0; ow < g.out_w; ++ow) {
      const Index left = ow * g.stride_w - g.pad_left;
      const Index first = std::clamp<Index>(-left, 0, g.k_w);
      const Index last = std::clamp<Index>(g.in_w - left, first, g.k_w);
      for (Index kh = 0; kh < g.k_h; ++kh, matrix += g.k_w * g.in_c) {
        const Index ih = top + kh;
        const bool inside = ih >= 0 && ih < g.in_h && last > first;
        const Index offset = inside ? ((image * g.in_h + ih) * g.in_w + left + first) * g.in_c : 0;
        f(matrix, offset, first * g.in_c, inside ? (last - first) * g.in_c : 0);
      }
    }
  }
}

}  // namespace detail

/// Writes the windows of output rows [row_begin, row_end) as a matrix of (row_end - row_begin) * out_w rows and window_size
/// columns; padding is zero.
template <class T>
void im2col(const Conv2DGeometry& g, const T* x, Index row_begin, Index row_end, T* matrix) {
  const Index stretch = g.k_w * g.in_c;
  detail::for_each_stretch(g, row_begin, row_end, [&](Index at, Index from, Index skip, Index length) {
    if (length == 0) {
      std::fill_n(matrix + at, stretch, T{0});
      return;
    }
    std::fill_n(matrix + at, skip, T{0});
    std::copy_n(x + from, length, matrix + at + skip);
    std::fill_n(matrix + at + skip + length, stretch - skip - length, T{0});
  });
}

/// The transpose of im2col: adds every element of the matrix to the pixel it came from.
template <class T>
void add_col2im(const Conv2DGeometry& g, const T* matrix, Index row_begin, Index row_end, T* dx) {
  detail::for_each_stretch(g, row_begin, row_end, [&](Index at, Index to, Index skip, Index length) {
    for (Index i = 0; i < length; ++i) dx[to + i] += matrix[at + skip + i];
  });
}

}  // namespace bitgrad::kernels
