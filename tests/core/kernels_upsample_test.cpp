#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/kernels/upsample.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using kernels::Store;
using kernels::Upsample2DGeometry;

namespace {

/// Whole images and parts of one per chunk, few and many channels, all factors but the last powers of two.
const Upsample2DGeometry geometries[] = {{2, 3, 4, 3, {2, 2}},   {0, 3, 4, 3, {2, 2}},  {1, 1, 1, 5, {4, 2}},
                                         {3, 1, 7, 1, {1, 4}},   {2, 5, 1, 17, {2, 1}}, {1, 40, 30, 24, {2, 2}},
                                         {1, 90, 70, 3, {2, 4}}, {2, 30, 40, 8, {3, 5}}};

Index elements(const Upsample2DGeometry& g) { return g.batch * g.in_h * g.in_w * g.channels; }
Index large_elements(const Upsample2DGeometry& g) { return elements(g) * g.factor.h * g.factor.w; }
bool exact(const Upsample2DGeometry& g) { return g.factor.h % 2 == 0 || g.factor.h == 1; }

/// What pixel `in` of a row has in pixel `out` of the larger one: a tent around its centre, the border repeated.
double share(Index in, Index out, Index extent, Index factor, Interpolation interpolation) {
  if (interpolation == Interpolation::nearest) return out / factor == in;
  const double place = (static_cast<double>(out) + 0.5) / static_cast<double>(factor) - 0.5;
  const double inside = std::clamp(place, 0.0, static_cast<double>(extent - 1));
  return std::max(0.0, 1 - std::abs(inside - static_cast<double>(in)));
}

/// f(element of the image, element of the larger image, share) for all that touch.
template <class F>
void for_each_share(const Upsample2DGeometry& g, Interpolation interpolation, F f) {
  const Index out_h = g.in_h * g.factor.h, out_w = g.in_w * g.factor.w;
  for (Index n = 0; n < g.batch; ++n)
    for (Index h = 0; h < out_h; ++h)
      for (Index a = std::max<Index>(h / g.factor.h - 1, 0); a < std::min(h / g.factor.h + 2, g.in_h); ++a)
        for (Index w = 0; w < out_w; ++w)
          for (Index b = std::max<Index>(w / g.factor.w - 1, 0); b < std::min(w / g.factor.w + 2, g.in_w); ++b)
            for (Index c = 0; c < g.channels; ++c)
              f(static_cast<std::size_t>(((n * g.in_h + a) * g.in_w + b) * g.channels + c),
                static_cast<std::size_t>(((n * out_h + h) * out_w + w) * g.channels + c),
                share(a, h, g.in_h, g.factor.h, interpolation) * share(b, w, g.in_w, g.factor.w, interpolation));
}

template <class T>
void forward(const Upsample2DGeometry& g, Interpolation interpolation, const std::vector<T>& x, std::vector<T>& y) {
  if (interpolation == Interpolation::nearest)
    kernels::upsample2d_nearest(g, x.data(), y.data());
  else
    kernels::upsample2d_bilinear(g, x.data(), y.data());
}
template <class T>
void backward(const Upsample2DGeometry& g, Interpolation interpolation, const std::vector<T>& dy, Store store,
              std::vector<T>& dx) {
  if (interpolation == Interpolation::nearest)
    kernels::upsample2d_nearest_gradient(g, dy.data(), store, dx.data());
  else
    kernels::upsample2d_bilinear_gradient(g, dy.data(), store, dx.data());
}

}  // namespace

TEMPLATE_TEST_CASE("upsampling of small whole numbers, exact in any order", "", float, double) {
  using T = TestType;
  for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::bilinear})
    for (const Upsample2DGeometry& g : geometries) {
      if (!exact(g)) continue;
      const auto x = small_integers<T>(elements(g), 1), dy = small_integers<T>(large_elements(g), 2);
      const auto old = small_integers<T>(elements(g), 3);
      std::vector<T> y(dy.size(), 0), dx(x.size(), 0), added(old);
      for_each_share(g, interpolation, [&](std::size_t in, std::size_t out, double share) {
        y[out] += static_cast<T>(share) * x[in];
        dx[in] += static_cast<T>(share) * dy[out];
        added[in] += static_cast<T>(share) * dy[out];
      });
      CAPTURE(g.batch, g.in_h, g.in_w, g.channels, g.factor.h, g.factor.w);
      for_each_setting([&] {
        std::vector<T> got(dy.size(), 9), gradient(old), sum(old);
        forward(g, interpolation, x, got);
        CHECK(got == y);
        backward(g, interpolation, dy, Store::overwrite, gradient);
        CHECK(gradient == dx);
        backward(g, interpolation, dy, Store::add, sum);
        CHECK(sum == added);
      });
    }
}

TEMPLATE_TEST_CASE("upsampling has the same bits for every instruction set and number of threads", "", float, double) {
  using T = TestType;
  for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::bilinear})
    for (const Upsample2DGeometry& g : geometries) {
      const auto numbers = reals(elements(g), 1), gradients = reals(large_elements(g), 2);
      const std::vector<T> x(numbers.begin(), numbers.end()), dy(gradients.begin(), gradients.end());
      std::vector<T> y(dy.size()), dx(x.size());
      {
        const IsaScope isa(kernels::Isa::base);
        const ThreadsScope threads(1);
        forward(g, interpolation, x, y);
        backward(g, interpolation, dy, Store::overwrite, dx);
      }
      double left = 0, right = 0;  // dy . up(x) = up'(dy) . x
      for (std::size_t i = 0; i < y.size(); ++i) left += static_cast<double>(y[i]) * static_cast<double>(dy[i]);
      for (std::size_t i = 0; i < x.size(); ++i) right += static_cast<double>(dx[i]) * static_cast<double>(x[i]);
      CAPTURE(g.batch, g.in_h, g.in_w, g.channels, g.factor.h, g.factor.w);
      CHECK(left == Approx(right).margin(1e-2));
      for_each_setting([&] {
        std::vector<T> got(dy.size()), gradient(x.size());
        forward(g, interpolation, x, got);
        CHECK(same_bits(got, y));
        backward(g, interpolation, dy, Store::overwrite, gradient);
        CHECK(same_bits(gradient, dx));
      });
    }
}

TEST_CASE("pixels of int32 are repeated") {
  for (const Upsample2DGeometry& g : geometries) {
    const auto x = small_integers<std::int32_t>(elements(g), 1, -100000, 100000);
    std::vector<std::int32_t> y(static_cast<std::size_t>(large_elements(g)), 0);
    for_each_share(g, Interpolation::nearest,
                   [&](std::size_t in, std::size_t out, double share) { y[out] += share > 0 ? x[in] : 0; });
    for_each_setting([&] {
      std::vector<std::int32_t> got(y.size(), 7);
      kernels::upsample2d_nearest(g, x.data(), got.data());
      CHECK(got == y);
    });
  }
}
