// Plain loops for float and double: the float64 path of gradient checks, and the oracle of the fast kernels. They
// favour being obviously right. Layouts as in geometry.hpp. Forward kernels overwrite their result; gradient kernels
// (names ending in _gradient) ADD to theirs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad::reference {

namespace detail {

inline Dilation dilation_of(const Conv2DGeometry& g) { return {g.dilation_h, g.dilation_w}; }
inline Dilation dilation_of(const Pool2DGeometry&) { return {}; }

/// Calls f(output position, kernel position, input position) for every pair of an output and an input pixel that meet
/// under a kernel pixel; positions count pixels of their tensor in memory order (kernel pixels: kh * k_w + kw). Pixels
/// of the padding are left out. Serves both geometries.
template <class Geometry, class F>
void for_each_tap(const Geometry& g, F&& f) {
  const Dilation dilation = dilation_of(g);
  for (Index n = 0; n < g.batch; ++n)
    for (Index oh = 0; oh < g.out_h; ++oh)
      for (Index ow = 0; ow < g.out_w; ++ow)
        for (Index kh = 0; kh < g.k_h; ++kh)
          for (Index kw = 0; kw < g.k_w; ++kw) {
            const Index ih = oh * g.stride_h - g.pad_top + kh * dilation.h;
            const Index iw = ow * g.stride_w - g.pad_left + kw * dilation.w;
            if (ih < 0 || ih >= g.in_h || iw < 0 || iw >= g.in_w) continue;
            f((n * g.out_h + oh) * g.out_w + ow, kh * g.k_w + kw, (n * g.in_h + ih) * g.in_w + iw);
          }
}

/// Calls f(output position and channel, kernel element, input position and channel), offsets into their tensors, for
/// all products of a convolution.
template <class F>
void for_each_product(const Conv2DGeometry& g, F&& f) {
  const Index in = g.in_c / g.groups, out = g.out_c / g.groups;  // channels of a group
  for_each_tap(g, [&](Index y, Index tap, Index x) {
    for (Index group = 0; group < g.groups; ++group)
      for (Index i = 0; i < in; ++i)
        for (Index o = group * out; o < (group + 1) * out; ++o)
          f(y * g.out_c + o, (tap * in + i) * g.out_c + o, x * g.in_c + group * in + i);
  });
}

}  // namespace detail

/// y[n,oh,ow,o] = sum over kh, kw, i of x[n,ih,iw,i] * kernel[kh,kw,i,o]; i runs over the channels of o's group.
template <class T>
void conv2d_forward(const Conv2DGeometry& g, const T* x, const T* kernel, T* y) {
  std::fill_n(y, g.batch * g.out_h * g.out_w * g.out_c, T{0});
  detail::for_each_product(g, [&](Index out, Index weight, Index in) { y[out] += x[in] * kernel[weight]; });
}

/// dx[n,ih,iw,i] += sum of dy[n,oh,ow,o] * kernel[kh,kw,i,o]
template <class T>
void conv2d_data_gradient(const Conv2DGeometry& g, const T* dy, const T* kernel, T* dx) {
  detail::for_each_product(g, [&](Index out, Index weight, Index in) { dx[in] += dy[out] * kernel[weight]; });
}

/// dkernel[kh,kw,i,o] += sum of x[n,ih,iw,i] * dy[n,oh,ow,o]
template <class T>
void conv2d_kernel_gradient(const Conv2DGeometry& g, const T* x, const T* dy, T* dkernel) {
  detail::for_each_product(g, [&](Index out, Index weight, Index in) { dkernel[weight] += x[in] * dy[out]; });
}

/// y = largest pixel of each window; argmax = its kernel position kh * k_w + kw, the first one of several. NaN beats
/// everything. Padding never wins.
template <class T>
void max_pool2d_forward(const Pool2DGeometry& g, const T* x, T* y, std::int32_t* argmax) {
  const Index size = g.batch * g.out_h * g.out_w * g.channels;
  std::fill_n(y, size, -std::numeric_limits<T>::infinity());
  std::fill_n(argmax, size, -1);
  detail::for_each_tap(g, [&](Index out, Index tap, Index in) {
    for (Index c = 0; c < g.channels; ++c) {
      const T value = x[in * g.channels + c];
      T& best = y[out * g.channels + c];
      std::int32_t& position = argmax[out * g.channels + c];
      if (position < 0 || value > best || (value != value && best == best)) {
        best = value;
        position = static_cast<std::int32_t>(tap);
      }
    }
  });
}

/// dx at each window's winner += dy
template <class T>
void max_pool2d_gradient(const Pool2DGeometry& g, const std::int32_t* argmax, const T* dy, T* dx) {
  detail::for_each_tap(g, [&](Index out, Index tap, Index in) {
    for (Index c = 0; c < g.channels; ++c)
      if (argmax[out * g.channels + c] == tap) dx[in * g.channels + c] += dy[out * g.channels + c];
  });
}

/// Pixels of the image under the window at output row oh and column ow.
inline Index pixels_in_window(const Pool2DGeometry& g, Index oh, Index ow) {
  const Index top = oh * g.stride_h - g.pad_top;
  const Index left = ow * g.stride_w - g.pad_left;
  return (std::min(top + g.k_h, g.in_h) - std::max<Index>(top, 0)) *
         (std::min(left + g.k_w, g.in_w) - std::max<Index>(left, 0));
}

/// y = sum of each window's pixels / their number. Padding does not count (the rule of TensorFlow and TFLite, and of
/// ONNX with count_include_pad = 0).
template <class T>
void average_pool2d_forward(const Pool2DGeometry& g, const T* x, T* y) {
  std::fill_n(y, g.batch * g.out_h * g.out_w * g.channels, T{0});
  detail::for_each_tap(g, [&](Index out, Index, Index in) {
    for (Index c = 0; c < g.channels; ++c) y[out * g.channels + c] += x[in * g.channels + c];
  });
  for (Index out = 0; out < g.batch * g.out_h * g.out_w; ++out) {
    const T count = static_cast<T>(pixels_in_window(g, out / g.out_w % g.out_h, out % g.out_w));
    for (Index c = 0; c < g.channels; ++c) y[out * g.channels + c] /= count;
  }
}

/// dx at each pixel of a window += dy / number of its pixels
template <class T>
void average_pool2d_gradient(const Pool2DGeometry& g, const T* dy, T* dx) {
  detail::for_each_tap(g, [&](Index out, Index, Index in) {
    const T count = static_cast<T>(pixels_in_window(g, out / g.out_w % g.out_h, out % g.out_w));
    for (Index c = 0; c < g.channels; ++c) dx[in * g.channels + c] += dy[out * g.channels + c] / count;
  });
}

}  // namespace bitgrad::reference
