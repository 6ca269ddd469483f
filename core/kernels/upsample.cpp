#include <bitgrad/core/kernels/upsample.hpp>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {
namespace {

/// Chunks of rows of `row` elements.
Index rows_per_chunk(Index row) { return std::max<Index>(1, elements_per_chunk / std::max<Index>(row, 1)); }

template <class T>
auto repeat_pixels_of() {
  if constexpr (std::is_same_v<T, std::int32_t>)
    return table().repeat_pixels_int32;
  else
    return floating_table<T>().repeat_pixels;
}

/// Between which rows (or columns) an output row lies, and the share of the second.
template <class T>
std::vector<PixelTap<T>> taps(Index in, Index factor) {
  std::vector<PixelTap<T>> result;
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
  const auto repeat_pixels = repeat_pixels_of<T>();
  parallel_for(g.batch * g.in_h, rows_per_chunk(wide * g.factor.h), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T* first = y + r * g.factor.h * wide;
      repeat_pixels(g.in_w, g.channels, g.factor.w, x + r * row, first);
      for (Index copy = 1; copy < g.factor.h; ++copy) std::copy_n(first, wide, first + copy * wide);
    }
  });
}

template <class T>
void upsample2d_nearest_gradient(const Upsample2DGeometry& g, const T* dy, Store store, T* dx) {
  const Index row = g.in_w * g.channels, wide = row * g.factor.w;
  const auto& loops = floating_table<T>();
  parallel_for(g.batch * g.in_h, rows_per_chunk(wide * g.factor.h), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T* to = dx + r * row;
      if (store == Store::overwrite) std::fill_n(to, row, T{0});
      for (Index h = 0; h < g.factor.h; ++h)
        loops.add_repeated_pixels(g.in_w, g.channels, g.factor.w, dy + (r * g.factor.h + h) * wide, to);
    }
  });
}

template <class T>
void upsample2d_bilinear(const Upsample2DGeometry& g, const T* x, T* y) {
  const auto rows = taps<T>(g.in_h, g.factor.h), columns = taps<T>(g.in_w, g.factor.w);
  const Index row = g.in_w * g.channels, wide = row * g.factor.w, out_h = g.in_h * g.factor.h;
  const auto& loops = floating_table<T>();
  parallel_for(g.batch * out_h, rows_per_chunk(wide), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const PixelTap<T>& v = rows[static_cast<std::size_t>(r % out_h)];
      const T* image = x + r / out_h * g.in_h * row;
      loops.blend_pixels(g.in_w * g.factor.w, g.channels, columns.data(), v.share, image + v.low * row,
                         image + v.high * row, y + r * wide);
    }
  });
}

/// Row by row of dx, each from the rows of dy around it in their order: threads share nothing.
template <class T>
void upsample2d_bilinear_gradient(const Upsample2DGeometry& g, const T* dy, Store store, T* dx) {
  const auto rows = taps<T>(g.in_h, g.factor.h), columns = taps<T>(g.in_w, g.factor.w);
  const Index row = g.in_w * g.channels, wide = row * g.factor.w, out_h = g.in_h * g.factor.h;
  const auto& loops = floating_table<T>();
  parallel_for(g.batch * g.in_h, rows_per_chunk(2 * wide * g.factor.h), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Index h = r % g.in_h;
      const T* image = dy + r / g.in_h * out_h * wide;
      T* to = dx + r * row;
      if (store == Store::overwrite) std::fill_n(to, row, T{0});
      const auto add = [&](Index out, T share) {
        loops.add_blended_pixels(g.in_w * g.factor.w, g.channels, columns.data(), share, image + out * wide, to);
      };
      for (Index out = std::max<Index>(h - 1, 0) * g.factor.h; out < std::min(h + 2, g.in_h) * g.factor.h; ++out) {
        const PixelTap<T>& v = rows[static_cast<std::size_t>(out)];
        if (v.low == h) add(out, 1 - v.share);
        if (v.high == h) add(out, v.share);
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
