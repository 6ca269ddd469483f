#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/integer.hpp>
#include <bitgrad/core/kernels/reference.hpp>
#include <bitgrad/core/shape.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// The rule by itself: clamp(half_even(float(acc) * m[c]), lo, hi).
std::vector<std::int16_t> codes_of(const std::vector<std::int32_t>& acc, const std::vector<float>& m, int lo, int hi) {
  std::vector<std::int16_t> codes;
  for (std::size_t i = 0; i < acc.size(); ++i) {
    const volatile float level = static_cast<float>(acc[i]) * m[i % m.size()];
    const double rounded = std::nearbyint(static_cast<double>(level));
    codes.push_back(static_cast<std::int16_t>(std::clamp(rounded, double(lo), double(hi))));
  }
  return codes;
}

/// Multipliers of every magnitude; eighths give ties.
std::vector<float> multipliers(Index channels) {
  std::vector<float> result;
  for (Index c = 0; c < channels; ++c) result.push_back(c % 2 == 0 ? 0.125F : 0.0317F / static_cast<float>(c));
  return result;
}

}  // namespace

TEST_CASE("convolutions and dense layers of codes round on the way out as requantization does") {
  for (const Conv2DGeometry& g : {
           conv2d_geometry({1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, Padding::valid()),
           conv2d_geometry({2, 5, 6, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
           conv2d_geometry({3, 7, 5, 2}, {3, 2, 2, 43}, {2, 2}, Padding::same()),
           conv2d_geometry({3, 32, 32, 16}, {3, 3, 16, 16}, {1, 1}, Padding::same()),
           conv2d_geometry({2, 7, 6, 6}, {3, 3, 2, 9}, {1, 1}, Padding::same(), {1, 1}, 3),
           conv2d_geometry({2, 7, 6, 9}, {3, 3, 3, 33}, {1, 1}, Padding::same(), {1, 1}, 3),
           conv2d_geometry({2, 7, 6, 19}, {3, 3, 1, 19}, {1, 2}, Padding::same(), {1, 1}, 19),
           conv2d_geometry({2, 25, 5, 64}, {3, 3, 1, 64}, {1, 1}, Padding::same(), {1, 1}, 64),
           conv2d_geometry({2, 9, 8, 8}, {3, 3, 1, 8}, {1, 1}, Padding::valid(), {1, 1}, 8),
           conv2d_geometry({2, 9, 12, 8}, {3, 3, 1, 8}, {2, 1}, Padding::same(), {1, 1}, 8),
           conv2d_geometry({2, 6, 7, 3}, {3, 2, 1, 3}, {1, 1}, Padding::same(), {1, 1}, 3),
           conv2d_geometry({1, 9, 12, 4}, {3, 3, 1, 4}, {1, 1}, Padding::same(), {1, 2}, 4),
           conv2d_geometry({1, 150, 64, 8}, {3, 3, 1, 8}, {1, 1}, Padding::same(), {1, 1}, 8),
           conv2d_geometry({2, 6, 8, 2}, {3, 1, 1, 2}, {1, 1}, Padding::valid(), {1, 2}, 2),
           conv2d_geometry({2, 28, 28, 1}, {5, 5, 1, 6}, {1, 1}, Padding::valid()),
           conv2d_geometry({2, 6, 7, 3}, {2, 2, 1, 6}, {1, 1}, Padding::valid(), {1, 1}, 3),
           conv2d_geometry({2, 9, 8, 40}, {2, 3, 1, 40}, {2, 1}, Padding::valid(), {1, 2}, 40),
           conv2d_geometry({2, 9, 13, 32}, {1, 1, 1, 32}, {1, 1}, Padding::valid(), {1, 1}, 32),
           conv2d_geometry({2, 9, 13, 32}, {1, 1, 32, 20}, {1, 1}, Padding::valid()),
           conv2d_geometry({1, 11, 13, 7}, {1, 1, 7, 16}, {1, 1}, Padding::valid()),
       }) {
    const auto x = small_integers<std::int16_t>(input_shape(g).size(), 1, -255, 255);
    const auto w = small_integers<std::int16_t>(kernel_shape(g).size(), 2, -128, 127);
    const auto bias = small_integers<std::int32_t>(g.out_c, 3, -1000000, 1000000);
    const std::vector<float> m = multipliers(g.out_c);
    std::vector<std::int32_t> acc(static_cast<std::size_t>(output_shape(g).size()));
    kernels::Int16Conv2D(g, w.data(), bias.data()).run(g.batch, x.data(), acc.data());
    const std::vector<std::int32_t> x32(x.begin(), x.end()), w32(w.begin(), w.end());
    std::vector<std::int32_t> same(acc.size());
    kernels::conv2d_codes_int32(g, x32.data(), w32.data(), bias.data(), same.data());
    CHECK(same_bits(acc, same));
    for (const auto& limits : {std::pair{-128, 127}, {0, 255}, {-32767, 32767}}) {
      const std::int32_t lo = limits.first, hi = limits.second;
      const std::vector<std::int16_t> expected = codes_of(acc, m, lo, hi);
      for_each_setting([&] {
        std::vector<std::int16_t> codes(expected.size(), 77);
        kernels::Int16Conv2D(g, w.data(), bias.data(), {m.data(), lo, hi}).run(g.batch, x.data(), codes.data());
        CHECK(same_bits(codes, expected));
      });
    }
  }
  for (const auto& [in, out] : {std::pair<Index, Index>{70, 1}, {71, 33}, {64, 120}}) {
    const auto x = small_integers<std::int16_t>(11 * in, 1, -255, 255);
    const auto w = small_integers<std::int16_t>(in * out, 2, -128, 127);
    const std::vector<float> m = multipliers(out);
    std::vector<std::int32_t> acc(static_cast<std::size_t>(11 * out));
    kernels::Int16Dense(in, out, w.data(), nullptr).run(11, x.data(), acc.data());
    const std::vector<std::int16_t> expected = codes_of(acc, m, -100, 100);
    for_each_setting([&, in = in, out = out] {
      std::vector<std::int16_t> codes(expected.size(), 77);
      kernels::Int16Dense(in, out, w.data(), nullptr, {m.data(), -100, 100}).run(11, x.data(), codes.data());
      CHECK(same_bits(codes, expected));
    });
  }
}

TEST_CASE("products of codes of a known range are the same") {
  const auto ranges = {kernels::CodeRange{0, 255}, {-255, 0}, {-128, 127}, {-131, 124}, {-7, 8}, {-128, 128}};
  for (const Conv2DGeometry& g : {
           conv2d_geometry({2, 5, 6, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
           conv2d_geometry({3, 7, 5, 2}, {3, 2, 2, 43}, {2, 2}, Padding::same()),
           conv2d_geometry({3, 32, 32, 16}, {3, 3, 16, 16}, {1, 1}, Padding::same()),
           conv2d_geometry({2, 40, 60, 5}, {5, 3, 5, 40}, {2, 1}, Padding::explicit_(3, 1, 0, 2), {1, 2}),
           conv2d_geometry({2, 7, 6, 12}, {3, 3, 4, 9}, {1, 1}, Padding::same(), {1, 1}, 3),
           conv2d_geometry({2, 7, 6, 18}, {3, 3, 6, 9}, {1, 1}, Padding::same(), {1, 1}, 3),
           conv2d_geometry({2, 28, 28, 1}, {5, 5, 1, 6}, {1, 1}, Padding::valid()),
           conv2d_geometry({2, 49, 10, 1}, {10, 4, 1, 64}, {2, 2}, Padding::same()),
           conv2d_geometry({2, 9, 12, 1}, {3, 3, 1, 5}, {1, 1}, Padding::same(), {2, 2}),
           conv2d_geometry({2, 7, 6, 9}, {3, 3, 3, 6}, {1, 1}, Padding::valid(), {1, 1}, 3),
           conv2d_geometry({2, 9, 13, 32}, {1, 1, 32, 20}, {1, 1}, Padding::valid()),
           conv2d_geometry({2, 4, 4, 10}, {1, 1, 10, 64}, {2, 2}, Padding::valid()),
       })
    for (const kernels::CodeRange& range : ranges)
      for (const std::int32_t largest_weight : {127, 128}) {
        auto x = small_integers<std::int16_t>(input_shape(g).size(), 1, range.lo, range.hi);
        auto w = small_integers<std::int16_t>(kernel_shape(g).size(), 2, -128, largest_weight);
        x.front() = x.back() = static_cast<std::int16_t>(range.hi), x[1] = static_cast<std::int16_t>(range.lo);
        w.front() = w.back() = static_cast<std::int16_t>(largest_weight), w[1] = -128;
        const auto bias = small_integers<std::int32_t>(g.out_c, 3, -1000000, 1000000);
        const std::vector<float> m = multipliers(g.out_c);
        const std::vector<std::int32_t> x32(x.begin(), x.end()), w32(w.begin(), w.end());
        std::vector<std::int32_t> expected(static_cast<std::size_t>(output_shape(g).size()));
        kernels::conv2d_codes_int32(g, x32.data(), w32.data(), bias.data(), expected.data());
        const std::vector<std::int16_t> rounded = codes_of(expected, m, -128, 127);
        for_each_setting([&] {
          std::vector<std::int32_t> acc(expected.size(), 77);
          kernels::Int16Conv2D(g, w.data(), bias.data(), range).run(g.batch, x.data(), acc.data());
          CHECK(same_bits(acc, expected));
          std::vector<std::int16_t> codes(expected.size(), 77);
          const kernels::Int16Conv2D conv(g, w.data(), bias.data(), {m.data(), -128, 127}, range);
          conv.run(g.batch, x.data(), codes.data());
          CHECK(same_bits(codes, rounded));
          const auto samples = static_cast<std::size_t>(output_shape(g).size() / g.batch);
          conv.run(1, x.data() + input_shape(g).size() / g.batch, codes.data());
          CHECK(std::equal(codes.begin(), codes.begin() + static_cast<std::ptrdiff_t>(samples),
                           rounded.begin() + static_cast<std::ptrdiff_t>(samples)));
        });
      }
  for (const auto& [in, out] : {std::pair<Index, Index>{1, 3}, {70, 1}, {71, 33}, {64, 120}})
    for (const kernels::CodeRange& range : ranges) {
      const auto x = small_integers<std::int16_t>(11 * in, 1, range.lo, range.hi);
      const auto w = small_integers<std::int16_t>(in * out, 2, -128, 127);
      const std::vector<float> m = multipliers(out);
      const std::vector<std::int32_t> x32(x.begin(), x.end()), w32(w.begin(), w.end());
      std::vector<std::int32_t> expected(static_cast<std::size_t>(11 * out));
      kernels::dense_codes_int32(11, in, out, x32.data(), w32.data(), nullptr, expected.data());
      for_each_setting([&, in = in, out = out] {
        std::vector<std::int32_t> acc(expected.size(), 77);
        kernels::Int16Dense(in, out, w.data(), nullptr, range).run(11, x.data(), acc.data());
        CHECK(same_bits(acc, expected));
        std::vector<std::int16_t> codes(expected.size(), 77);
        kernels::Int16Dense(in, out, w.data(), nullptr, {m.data(), -100, 100}, range).run(11, x.data(), codes.data());
        CHECK(same_bits(codes, codes_of(expected, m, -100, 100)));
      });
    }
}

TEST_CASE("a convolution without a rule for codes gives none") {
  const Conv2DGeometry g = conv2d_geometry({1, 1, 1, 2}, {1, 1, 2, 1}, {1, 1}, Padding::valid());
  const std::int16_t x[] = {1, 2}, w[] = {3, 4};
  const float one = 1;
  std::int16_t code = 0;
  CHECK_THROWS_AS(kernels::Int16Conv2D(g, w, nullptr).run(1, x, &code), StateError);
  CHECK_THROWS_AS(kernels::Int16Dense(2, 1, w, nullptr).run(1, x, &code), StateError);
  CHECK_THROWS_AS(kernels::Int16Conv2D(g, w, nullptr, {&one, 0, 1 << 15}), ValueError);
  kernels::Int16Dense(2, 1, w, nullptr, {&one, 0, 10}).run(1, x, &code);
  CHECK(code == 10);
}

TEST_CASE("weights stay packed for the instruction set that they were packed for") {
  const Conv2DGeometry g = conv2d_geometry({1, 5, 5, 3}, {3, 3, 3, 21}, {1, 1}, Padding::same());
  const auto x = small_integers<std::int16_t>(input_shape(g).size(), 1),
             w = small_integers<std::int16_t>(kernel_shape(g).size(), 2);
  std::vector<std::int32_t> expected(static_cast<std::size_t>(output_shape(g).size()));
  kernels::Int16Conv2D(g, w.data(), nullptr).run(1, x.data(), expected.data());
  for (const kernels::Isa packed_for : available_isas()) {
    const IsaScope scope(packed_for);
    const kernels::Int16Conv2D conv(g, w.data(), nullptr);
    for_each_isa([&] {
      std::vector<std::int32_t> acc(expected.size(), 77);
      conv.run(1, x.data(), acc.data());
      CHECK(same_bits(acc, expected));
    });
  }
}

TEST_CASE("sums of codes are those of fused multiply-adds") {
  for (const Index n : {0, 1, 7, 1000, 100000}) {
    const auto a = small_integers<std::int16_t>(n, 1, -200, 255), b = small_integers<std::int16_t>(n, 2, -255, 300);
    const kernels::CodeAddition rule{.zero_a = 7,
                                     .ratio_a = 0.013F / 0.0237F,
                                     .zero_b = 31,
                                     .ratio_b = 0.0171F / 0.0237F,
                                     .constant = -3.25F,
                                     .lo = -60,
                                     .hi = 250,
                                     .zero_y = 11};
    std::vector<std::int16_t> expected;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const float inner = std::fma(static_cast<float>(b[i] + 31), rule.ratio_b, rule.constant);
      const float level = std::nearbyint(std::fma(static_cast<float>(a[i] + 7), rule.ratio_a, inner));
      expected.push_back(static_cast<std::int16_t>(std::clamp(level, -60.0F, 250.0F) - 11));
    }
    for_each_setting([&] {
      std::vector<std::int16_t> y(a.size());
      kernels::add_codes(n, a.data(), b.data(), rule, y.data());
      CHECK(same_bits(y, expected));
      std::vector<std::int16_t> in_place = a;
      kernels::add_codes(n, in_place.data(), b.data(), rule, in_place.data());
      CHECK(same_bits(in_place, expected));
    });
  }
}

TEST_CASE("max pooling of codes is max pooling") {
  for (const Pool2DGeometry& g : {
           pool2d_geometry({2, 6, 6, 1}, {2, 2}, {2, 2}, Padding::valid()),
           pool2d_geometry({3, 28, 28, 6}, {2, 2}, {2, 2}, Padding::valid()),
           pool2d_geometry({2, 7, 5, 16}, {3, 3}, {2, 2}, Padding::same()),
           pool2d_geometry({1, 5, 9, 33}, {1, 3}, {1, 1}, Padding::same()),
           pool2d_geometry({2, 8, 3, 5}, {3, 1}, {2, 1}, Padding::explicit_(2, 1, 0, 0)),
           pool2d_geometry({1, 1, 1, 4}, {1, 1}, {1, 1}, Padding::valid()),
       }) {
    const auto x = small_integers<std::int16_t>(input_shape(g).size(), 1, -32768, -3);
    const std::vector<float> values(x.begin(), x.end());
    std::vector<float> largest(static_cast<std::size_t>(output_shape(g).size()));
    std::vector<std::int32_t> winners(largest.size());
    reference::max_pool2d_forward(g, values.data(), largest.data(), winners.data());
    const std::vector<std::int16_t> expected(largest.begin(), largest.end());
    for_each_setting([&] {
      std::vector<std::int16_t> y(expected.size(), 77);
      kernels::max_pool2d_codes(g, x.data(), y.data());
      CHECK(same_bits(y, expected));
    });
  }
}

TEST_CASE("sums of codes over pixels") {
  const auto x = small_integers<std::int16_t>(5 * 49 * 37, 1, -32768, 32767);
  std::vector<std::int32_t> expected(5 * 37, 0);
  for (std::size_t i = 0; i < x.size(); ++i) expected[i / (49 * 37) * 37 + i % 37] += x[i];
  for_each_setting([&] {
    std::vector<std::int32_t> sums(expected.size(), 77);
    kernels::sum_pixels(5, 49, 37, x.data(), sums.data());
    CHECK(same_bits(sums, expected));
  });
}
