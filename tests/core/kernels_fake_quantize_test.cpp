#include <catch2/catch.hpp>

#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using kernels::ChannelLayout;
using kernels::StraightThrough;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }
std::size_t channel_of(const ChannelLayout& layout, std::size_t i) {
  return i / at(layout.inner) % at(layout.channels);
}

std::vector<ChannelLayout> layouts() {
  return {{1, 1, 1},     {0, 1, 1},   {100, 1, 1}, {70001, 1, 1}, {9, 3, 1},
          {3000, 16, 1}, {4, 300, 1}, {1, 5, 27},  {3, 4, 7},     {1, 40000, 1}};
}

/// Multiples of a quarter step hit every tie; beside them huge values, infinities, NaN and zeros of both signs.
template <class T>
std::vector<T> awkward(const ChannelLayout& layout, const std::vector<T>& scale, unsigned seed, bool nan = true) {
  const auto quarters = small_integers<T>(layout.size(), seed, -45, 45);
  const T inf = std::numeric_limits<T>::infinity();
  const T specials[] = {inf,   -inf,   T(1e30),       T(-1e30),
                        -T{0}, T(0.1), T(-4194304.5), nan ? std::numeric_limits<T>::quiet_NaN() : T{0}};
  std::vector<T> x(at(layout.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = quarters[i] / 4 * scale[channel_of(layout, i)];
    if (i % 11 == 7) x[i] = specials[(i / 11) % std::size(specials)];
  }
  return x;
}

template <class T>
std::vector<T> scales(const ChannelLayout& layout) {
  const T some[] = {T(0.25), T(0.1), T(1), T(0.0372), T(3)};
  std::vector<T> result(at(layout.channels));
  for (std::size_t c = 0; c < result.size(); ++c) result[c] = some[c % std::size(some)];
  return result;
}

template <class T>
std::vector<T> offsets(const ChannelLayout& layout) {
  const T some[] = {T(-0.5), T(0), T(0.3), T(-2)};
  std::vector<T> result(at(layout.channels));
  for (std::size_t c = 0; c < result.size(); ++c) result[c] = some[c % std::size(some)];
  return result;
}

/// Whole numbers, or zeros.
template <class T>
std::vector<T> zero_points(const ChannelLayout& layout, bool some) {
  std::vector<T> result(at(layout.channels));
  for (std::size_t c = 0; c < result.size(); ++c) result[c] = some ? static_cast<T>(c % 5) * 3 - 2 : T{0};
  return result;
}

/// clamp(half_even(u), lo, hi) as the specification says it: rounded first. NaN stays NaN, zero is +0.
template <class T>
T level(T u, T lo, T hi) {
  if (std::isnan(u)) return u;
  return std::min(std::max(std::nearbyint(u), lo), hi) + T{0};
}

}  // namespace

TEST_CASE("layouts of channels") {
  const Shape shape{2, 3, 4, 5};
  const auto equal = [](const ChannelLayout& layout, Index outer, Index channels, Index inner) {
    return layout.outer == outer && layout.channels == channels && layout.inner == inner;
  };
  CHECK(equal(kernels::per_channel(shape, -1), 24, 5, 1));
  CHECK(equal(kernels::per_channel(shape, 0), 1, 2, 60));
  CHECK(equal(kernels::per_channel(shape, 1), 2, 3, 20));
  CHECK(equal(kernels::per_tensor(7), 7, 1, 1));
  CHECK_THROWS_AS(kernels::per_channel(shape, 4), ShapeError);
}

TEMPLATE_TEST_CASE("fake_quantize is the formula to the bit, ties to even, in every setting", "", float, double) {
  using T = TestType;
  for (const ChannelLayout& layout : layouts())
    for (const bool offset : {false, true})
      for (const auto& bounds : {std::pair<T, T>{-8, 7}, {0, 255}, {0, 0}, {-32768, 32767}}) {
        const T lo = bounds.first, hi = bounds.second;
        const auto s = scales<T>(layout), a = offsets<T>(layout), x = awkward(layout, s, 1);
        std::vector<T> expected(x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t c = channel_of(layout, i);
          const volatile T quantized = s[c] * level((offset ? x[i] - a[c] : x[i]) / s[c], lo, hi);
          expected[i] = offset ? quantized + a[c] : quantized;
        }
        for_each_setting([&] {
          auto y = x;
          kernels::fake_quantize(layout, y.data(), {s.data(), offset ? a.data() : nullptr, lo, hi}, y.data());
          CAPTURE(layout.outer, layout.channels, layout.inner, offset, lo, hi);
          CHECK(same_bits(y, expected));
        });
      }
}

TEST_CASE("fake_quantize by hand") {
  const float s = 0.5f;
  const std::vector<float> x{0.25f, 0.75f, -0.25f, 1.75f, 10.0f, -10.0f};
  std::vector<float> y(6);
  kernels::fake_quantize<float>(kernels::per_tensor(6), x.data(), {&s, nullptr, -2, 3}, y.data());
  CHECK(y == std::vector<float>{0.0f, 1.0f, 0.0f, 1.5f, 1.5f, -1.0f});
  CHECK_FALSE(std::signbit(y[2]));
  const float a = 0.25f;
  kernels::fake_quantize<float>(kernels::per_tensor(6), x.data(), {&s, &a, 0, 3}, y.data());
  CHECK(y == std::vector<float>{0.25f, 0.75f, 0.25f, 1.75f, 1.75f, 0.25f});
}

TEMPLATE_TEST_CASE("fake_quantize's gradients are the formulas, in every setting", "", float, double) {
  using T = TestType;
  for (const ChannelLayout& layout : layouts())
    for (const auto& [offset, zero_point] : {std::pair{false, false}, {true, false}, {false, true}})
      for (const StraightThrough mode :
           {StraightThrough::masked, StraightThrough::value_masked, StraightThrough::unmasked}) {
        const auto z = zero_points<T>(layout, zero_point);
        const auto s = scales<T>(layout), a = offsets<T>(layout);
        auto x = awkward(layout, s, 1, false);
        for (T& value : x) value = std::abs(value) > T(1e6) ? T(12.5) : value;  // sums must stay comparable
        const auto dy = small_integers<T>(layout.size(), 2), start = small_integers<T>(layout.size(), 3);
        auto dx_expected = start, passed = start;
        const bool with_zero_point = zero_point;  // a structured binding cannot be captured
        const T* offsets_or_none = offset ? a.data() : nullptr;
        const T* zeros_or_none = zero_point ? z.data() : nullptr;
        std::vector<double> ds(at(layout.channels)), da(ds);
        for (std::size_t i = 0; i < x.size(); ++i) {
          const std::size_t c = channel_of(layout, i);
          const T u = (offset ? x[i] - a[c] : x[i]) / s[c], r = std::nearbyint(u);
          const T lo = -8 - z[c], hi = 7 - z[c], q = std::min(std::max(r, lo), hi);
          const T seen = mode == StraightThrough::masked ? r : u;
          const bool mask = mode == StraightThrough::unmasked || (seen >= lo && seen <= hi);
          passed[i] = mask ? dy[i] : T{0};
          dx_expected[i] += passed[i];
          ds[c] += static_cast<double>(dy[i] * (mask ? q - u : q));
          da[c] += static_cast<double>(mask ? T{0} : dy[i]);
        }
        if (!offset && !zero_point) std::fill(da.begin(), da.end(), 0.0);
        std::vector<double> first;
        for_each_setting([&] {
          auto dx = start;
          const kernels::LevelGrid<T> grid{s.data(), offsets_or_none, -8, 7, zeros_or_none};
          const auto sums =
              kernels::fake_quantize_gradient(layout, x.data(), grid, mode, dy.data(), kernels::Store::add, dx.data());
          CAPTURE(layout.outer, layout.channels, layout.inner, mode, with_zero_point);
          CHECK(same_bits(dx, dx_expected));
          CHECK(same_bits(sums.offset, da));
          REQUIRE(sums.scale.size() == ds.size());
          for (std::size_t c = 0; c < ds.size(); ++c) CHECK(sums.scale[c] == Approx(ds[c]).epsilon(1e-12).margin(1e-9));
          if (first.empty()) first = sums.scale;
          CHECK(same_bits(sums.scale, first));
          const auto without_input =
              kernels::fake_quantize_gradient<T>(layout, x.data(), grid, mode, dy.data(), kernels::Store::add, nullptr);
          CHECK(same_bits(without_input.scale, first));
          kernels::fake_quantize_gradient(layout, x.data(), grid, mode, dy.data(), kernels::Store::overwrite,
                                          dx.data());
          CHECK(same_bits(dx, passed));
        });
      }
}

TEMPLATE_TEST_CASE("fake_quantize with a zero point is the grid of codes", "", float, double) {
  using T = TestType;
  for (const ChannelLayout& layout : layouts()) {
    const auto s = scales<T>(layout), x = awkward(layout, s, 1), z = zero_points<T>(layout, true);
    std::vector<T> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = channel_of(layout, i);
      const T code = std::nearbyint(x[i] / s[c]) + z[c];
      expected[i] = std::isnan(x[i]) ? x[i] : (std::min(std::max(code, T{0}), T{15}) - z[c]) * s[c];
    }
    for_each_setting([&] {
      std::vector<T> y(x.size());
      kernels::fake_quantize(layout, x.data(), {s.data(), nullptr, 0, 15, z.data()}, y.data());
      CHECK(same_bits(y, expected));
    });
  }
  const T s = 1, z = std::numeric_limits<T>::quiet_NaN();
  T x = 1;
  CHECK_THROWS_AS(kernels::fake_quantize<T>(kernels::per_tensor(1), &x, {&s, nullptr, 0, 15, &z}, &x), ValueError);
}

TEST_CASE("the mask looks at the rounded value, bounds included, and NaN passes nothing but poisons the scale") {
  const float s = 1.0f;
  const std::vector<float> x{7.5f, 7.49f, -8.5f, -8.51f, 8.0f, NAN};
  const std::vector<float> dy(6, 1.0f);
  std::vector<float> dx(6, 0.0f);
  const auto layout = kernels::per_tensor(6);
  auto sums = kernels::fake_quantize_gradient<float>(layout, x.data(), {&s, nullptr, -8, 7}, StraightThrough::masked,
                                                     dy.data(), kernels::Store::overwrite, dx.data());
  // half_even(7.5) = 8 is outside, half_even(-8.5) = -8 is inside.
  CHECK(dx == std::vector<float>{0, 1, 1, 0, 0, 0});
  CHECK(std::isnan(sums.scale[0]));
}

TEST_CASE("quantize_to_values multiplies by the reciprocal and rounds before the zero point") {
  for (const ChannelLayout& layout : layouts()) {
    const auto s = scales<float>(layout), x = awkward(layout, s, 1);
    std::vector<std::int32_t> z(at(layout.channels));
    for (std::size_t c = 0; c < z.size(); ++c) z[c] = static_cast<std::int32_t>(c % 7) * 13 + 3;
    std::vector<float> expected(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = channel_of(layout, i);
      const volatile float inverse = 1.0f / s[c];
      const float zero = static_cast<float>(z[c]);
      const float code = level(x[i] * inverse, -1e9f, 1e9f) + zero;
      expected[i] = std::isnan(x[i]) ? x[i] : (std::min(std::max(code, 0.0f), 255.0f) - zero) * s[c];
    }
    for_each_setting([&] {
      std::vector<float> y(x.size());
      kernels::quantize_to_values(layout, x.data(), {s.data(), z.data(), 0, 255}, y.data());
      CHECK(same_bits(y, expected));
    });
  }
}

TEMPLATE_TEST_CASE("codes by true division, and back", "", std::int32_t, std::uint8_t, std::int8_t) {
  using Code = TestType;
  const std::int32_t lo = std::numeric_limits<Code>::is_signed ? -128 : 0, hi = lo + 255;
  for (const ChannelLayout& layout : layouts()) {
    const auto s = scales<float>(layout), x = awkward(layout, s, 1, false);
    std::vector<std::int32_t> z(at(layout.channels));
    for (std::size_t c = 0; c < z.size(); ++c) z[c] = static_cast<std::int32_t>(c % 7) * 13 + 3;
    std::vector<Code> expected(x.size());
    std::vector<float> values(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = channel_of(layout, i);
      const float code = level(x[i] / s[c], -1e9f, 1e9f) + static_cast<float>(z[c]);
      const float clamped = std::min(std::max(code, static_cast<float>(lo)), static_cast<float>(hi));
      expected[i] = static_cast<Code>(clamped);
      values[i] = (clamped - static_cast<float>(z[c])) * s[c];
    }
    for_each_setting([&] {
      std::vector<Code> q(x.size());
      std::vector<float> y(x.size());
      const kernels::CodeGrid grid{s.data(), z.data(), lo, hi};
      kernels::quantize_to_codes(layout, x.data(), grid, "x", q.data());
      CHECK(same_bits(q, expected));
      kernels::codes_to_values(layout, q.data(), grid, y.data());
      CHECK(same_bits(y, values));
    });
  }
}

TEST_CASE("codes of NaN, of grids that do not fit and of levels that are too large are refused") {
  const float s = 0.1f;
  const std::int32_t z = 0, far = 1 << 21;
  std::vector<float> x(50000, 1.0f);
  std::vector<std::uint8_t> q(x.size());
  const auto layout = kernels::per_tensor(50000);
  for (const Index bad : {0, 40000, 49999}) {
    auto poisoned = x;
    poisoned[at(bad)] = NAN;
    CHECK_THROWS_WITH(kernels::quantize_to_codes(layout, poisoned.data(), {&s, &z, 0, 255}, "input", q.data()),
                      "input: element " + std::to_string(bad) + " is NaN, which has no integer code");
  }
  CHECK_THROWS_AS(kernels::quantize_to_codes(layout, x.data(), {&s, &z, 0, 256}, "input", q.data()), ValueError);
  CHECK_THROWS_AS(kernels::quantize_to_codes(layout, x.data(), {&s, &z, -1, 255}, "input", q.data()), ValueError);
  CHECK_THROWS_AS(kernels::quantize_to_values(layout, x.data(), {&s, &z, 1, 0}, x.data()), ValueError);
  CHECK_THROWS_AS(kernels::quantize_to_values(layout, x.data(), {&s, &far, 0, 255}, x.data()), ValueError);
  CHECK_THROWS_AS(kernels::fake_quantize<float>(layout, x.data(), {&s, nullptr, NAN, 1}, x.data()), ValueError);
  CHECK_THROWS_AS(kernels::fake_quantize<float>(layout, x.data(), {&s, nullptr, 0, 1e7f}, x.data()), ValueError);
}
