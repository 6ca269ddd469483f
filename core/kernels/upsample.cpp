#include <bitgrad/core/kernels/upsample.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

#include <bitgrad/core/parallel.hpp>

namespace bitgrad::kernels {
namespace {

constexpr Index elements_per_chunk = Index{1} << 15;

/// Chunks of rows of `row` elements.
Index rows_per_chunk(Index row) { return std::max<Index>(1, elements_per_chunk / std::max<Index>(row, 1)); }

/// Between which rows (or columns) an output row lies, and the share of the second.
template <class T>
struct Tap {
  Index low, high;
  T share;
};

template <class T>
std::vector<Tap<T>> taps(Index in, Index factor) {
  std::vector<Tap<T>> result;
  for (Index out = 0; out < in * factor; ++out) {
    const Index twice = 2 * out + 1 - factor, unit = 2 * factor;  // the position is twice / unit
    const Index low = twice < 0 ? -1 : twice / unit;
    if (low < 0 || low + 1 >= in)
      result.push_back({std::max<Index>(low, 0), std::max<Index>(low, 0), T{0}});
    else
      result.push_back({low, low + 1, static_cast<T>(twice - low * unit) / static_cast<T>(unit)});
  }
  return result;
}

}  // namespace

template <class T>
void upsample2d_nearest(const Upsample2DGeometry& g, const T* x, T* y) {
  const Index row = g.in_w * g.channels, wide = row * g.factor.w;
  parallel_for(g.batch * g.in_h, rows_per_chunk(wide * g.factor.h), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T* first = y + r * g.factor.h * wide;
      T* to = first;
      for (const T* pixel = x + r * row; pixel != x + (r + 1) * row; pixel += g.channels)
        for (Index copy = 0; copy < g.factor.w; ++copy) to = std::copy_n(pixel, g.channels, to);
      for (Index copy = 1; copy < g.factor.h; ++copy) to = std::copy_n(first, wide, to);
    }
  });
}

template <class T>
void upsample2d_nearest_gradient(const Upsample2DGeometry& g, const T* dy, Store store, T* dx) {
  const Index row = g.in_w * g.channels, wide = row * g.factor.w;
  parallel_for(g.batch * g.in_h, rows_per_chunk(wide * g.factor.h), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T* to = dx + r * row;
      if (store == Store::overwrite) std::fill_n(to, row, T{0});
      for (Index h = 0; h < g.factor.h; ++h)
        for (Index w = 0; w < g.in_w * g.factor.w; ++w) {
          const T* from = dy + (r * g.factor.h + h) * wide + w * g.channels;
          T* sum = to + w / g.factor.w * g.channels;
          for (Index c = 0; c < g.channels; ++c) sum[c] += from[c];
        }
    }
  });
}

template <class T>
void upsample2d_bilinear(const Upsample2DGeometry& g, const T* x, T* y) {
  const std::vector<Tap<T>> rows = taps<T>(g.in_h, g.factor.h), columns = taps<T>(g.in_w, g.factor.w);
  const Index row = g.in_w * g.channels, wide = row * g.factor.w, out_h = g.in_h * g.factor.h;
  parallel_for(g.batch * out_h, rows_per_chunk(wide), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Tap<T>& v = rows[static_cast<std::size_t>(r % out_h)];
      const T* image = x + r / out_h * g.in_h * row;
      T* to = y + r * wide;
      for (const Tap<T>& u : columns) {
        const T *a = image + v.low * row + u.low * g.channels, *b = image + v.low * row + u.high * g.channels;
        const T *c = image + v.high * row + u.low * g.channels, *d = image + v.high * row + u.high * g.channels;
        for (Index i = 0; i < g.channels; ++i)
          to[i] = (1 - v.share) * ((1 - u.share) * a[i] + u.share * b[i]) +
                  v.share * ((1 - u.share) * c[i] + u.share * d[i]);
        to += g.channels;
      }
    }
  });
}

template <class T>
void upsample2d_bilinear_gradient(const Upsample2DGeometry& g, const T* dy, Store store, T* dx) {
  const std::vector<Tap<T>> rows = taps<T>(g.in_h, g.factor.h), columns = taps<T>(g.in_w, g.factor.w);
  const Index row = g.in_w * g.channels, image = g.in_h * row;
  parallel_for(g.batch, 1, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      T* to = dx + n * image;
      if (store == Store::overwrite) std::fill_n(to, image, T{0});
      const T* from = dy + n * image * g.factor.h * g.factor.w;
      for (const Tap<T>& v : rows)
        for (const Tap<T>& u : columns) {
          const auto add = [&](Index h, Index w, T share) {
            T* sum = to + h * row + w * g.channels;
            for (Index c = 0; c < g.channels; ++c) sum[c] += share * from[c];
          };
          add(v.low, u.low, (1 - v.share) * (1 - u.share));
          add(v.low, u.high, (1 - v.share) * u.share);
          add(v.high, u.low, v.share * (1 - u.share));
          add(v.high, u.high, v.share * u.share);
          from += g.channels;
        }
    }
  });
}

template void upsample2d_nearest<float>(const Upsample2DGeometry&, const float*, float*);
template void upsample2d_nearest<double>(const Upsample2DGeometry&, const double*, double*);
template void upsample2d_nearest<std::int32_t>(const Upsample2DGeometry&, const std::int32_t*, std::int32_t*);
template void upsample2d_nearest_gradient<float>(const Upsample2DGeometry&, const float*, Store, float*);
template void upsample2d_nearest_gradient<double>(const Upsample2DGeometry&, const double*, Store, double*);
template void upsample2d_bilinear<float>(const Upsample2DGeometry&, const float*, float*);
template void upsample2d_bilinear<double>(const Upsample2DGeometry&, const double*, double*);
template void upsample2d_bilinear_gradient<float>(const Upsample2DGeometry&, const float*, Store, float*);
template void upsample2d_bilinear_gradient<double>(const Upsample2DGeometry&, const double*, Store, double*);

}  // namespace bitgrad::kernels
