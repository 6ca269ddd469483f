// Operations that move elements without computing with them, for codes and float32 alike.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/kernels/upsample.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad::inference {

/// x [n, h, w, c] of shape `in` with a border of `fill`: y [n, h', w', c] of shape `out`.
template <class T>
void pad2d(const Shape& in, const Shape& out, const Padding& padding, T fill, const T* x, T* y) {
  std::fill_n(y, out.size(), fill);
  const Index row = in[2] * in[3];
  for (Index n = 0; n < in[0]; ++n)
    for (Index h = 0; h < in[1]; ++h, x += row)
      std::copy_n(x, row, y + (((n * out[1] + h + padding.top) * out[2]) + padding.left) * out[3]);
}
template <class T>
Tensor pad2d(const Tensor& x, const Padding& padding, const Shape& shape, T fill) {
  Tensor y(shape, x.dtype());
  pad2d(x.shape(), shape, padding, fill, x.data<T>(), y.data<T>());
  return y;
}

/// x [n, h, w, c] with every pixel repeated; `shape` [n, h', w', c] is the result's. T is float or int32.
template <class T>
Tensor upsample2d(const Tensor& x, UpsampleFactor factor, const Shape& shape) {
  Tensor y(shape, x.dtype());
  kernels::upsample2d_nearest({x.dim(0), x.dim(1), x.dim(2), x.dim(3), factor}, x.data<T>(), y.data<T>());
  return y;
}

/// x [n, h, w, c] with pixel (i, j) at (i * stride.h, j * stride.w) and `fill` between them; `shape` [n, h', w', c] is
/// the result's.
template <class T>
Tensor insert_zeros2d(const Tensor& x, const Stride& stride, const Shape& shape, T fill) {
  Tensor y(shape, x.dtype());
  std::ranges::fill(y.span<T>(), fill);
  const Index channels = x.dim(3);
  const T* from = x.data<T>();
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index h = 0; h < x.dim(1); ++h)
      for (Index w = 0; w < x.dim(2); ++w, from += channels)
        std::copy_n(from, channels, y.data<T>() + ((n * y.dim(1) + h * stride.h) * y.dim(2) + w * stride.w) * channels);
  return y;
}

/// Elements of a where the mask (of one sample) is not 0, of b elsewhere; a and b [n, ...].
template <class T>
Tensor where(const Tensor& mask, const Tensor& a, const Tensor& b) {
  Tensor y(a.shape(), a.dtype());
  const float* choice = mask.data<float>();
  const T *left = a.data<T>(), *right = b.data<T>();
  T* to = y.data<T>();
  for (Index at = 0; at < y.size(); at += mask.size())
    for (Index i = 0; i < mask.size(); ++i) to[at + i] = choice[i] != 0 ? left[at + i] : right[at + i];
  return y;
}

/// Tensors [n, ...] of one dtype joined along an axis of the per-sample shape; `shape` [n, ...] is the result's.
template <class T>
Tensor concat(std::span<const Tensor> inputs, int axis, const Shape& shape) {
  Tensor y(shape, inputs.front().dtype());
  const int joined = axis < 0 ? axis + shape.rank() : axis + 1;
  Index outer = 1;
  for (int i = 0; i < joined; ++i) outer *= shape[i];
  const Index width = outer == 0 ? 0 : y.size() / outer;
  Index at = 0;
  for (const Tensor& x : inputs) {
    const Index part = outer == 0 ? 0 : x.size() / outer;
    for (Index i = 0; i < outer; ++i) std::copy_n(x.data<T>() + i * part, part, y.data<T>() + i * width + at);
    at += part;
  }
  return y;
}

}  // namespace bitgrad::inference
