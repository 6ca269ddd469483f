#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/integer.hpp>
#include <bitgrad/core/kernels/reference.hpp>
#include <bitgrad/core/shape.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

TEST_CASE("convolution of codes is exact") {
  for (const Conv2DGeometry& g : {
           conv2d_geometry({1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, Padding::valid()),
           conv2d_geometry({2, 5, 6, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
           conv2d_geometry({3, 7, 5, 2}, {3, 2, 2, 43}, {2, 2}, Padding::same()),
           conv2d_geometry({2, 6, 6, 4}, {1, 1, 4, 7}, {1, 1}, Padding::valid()),
           conv2d_geometry({3, 32, 32, 16}, {3, 3, 16, 16}, {1, 1}, Padding::same()),
           conv2d_geometry({2, 7, 6, 4}, {3, 3, 4, 17}, {2, 1}, Padding::same(), {2, 2}),
           conv2d_geometry({2, 7, 6, 6}, {3, 3, 2, 9}, {1, 1}, Padding::same(), {1, 1}, 3),
           conv2d_geometry({2, 7, 6, 19}, {3, 3, 1, 19}, {1, 2}, Padding::same(), {1, 1}, 19),
       }) {
    const auto x = small_integers<std::int32_t>(input_shape(g).size(), 1, -255, 255);
    const auto w = small_integers<std::int32_t>(kernel_shape(g).size(), 2, -128, 127);
    const auto bias = small_integers<std::int32_t>(g.out_c, 3, -1000000, 1000000);
    std::vector<std::int64_t> x64(x.begin(), x.end()), w64(w.begin(), w.end()),
        sums(static_cast<std::size_t>(output_shape(g).size()));
    reference::conv2d_forward(g, x64.data(), w64.data(), sums.data());
    std::vector<std::int32_t> expected(sums.begin(), sums.end()), biased(expected);
    for (std::size_t i = 0; i < biased.size(); ++i) biased[i] += bias[i % bias.size()];
    for_each_setting([&] {
      std::vector<std::int32_t> acc(expected.size(), 77);
      kernels::conv2d_codes_int32(g, x.data(), w.data(), nullptr, acc.data());
      CHECK(same_bits(acc, expected));
      kernels::conv2d_codes_int32(g, x.data(), w.data(), bias.data(), acc.data());
      CHECK(same_bits(acc, biased));
      const std::vector<std::int16_t> x16(x.begin(), x.end()), w16(w.begin(), w.end());
      const kernels::Int16Conv2D packed(g, w16.data(), bias.data());
      for (int again = 0; again < 2; ++again) {
        std::ranges::fill(acc, 77);
        packed.run(g.batch, x16.data(), acc.data());
        CHECK(same_bits(acc, biased));
      }
      kernels::Int16Conv2D(g, w16.data(), nullptr).run(g.batch, x16.data(), acc.data());
      CHECK(same_bits(acc, expected));
    });
  }
}

TEST_CASE("the dense product of codes is exact") {
  for (const auto& sizes : {std::pair<Index, Index>{70, 1}, {70, 10}, {71, 33}, {1, 20}}) {
    const Index in = sizes.first, out = sizes.second;
    const Index rows = 11;
    const auto x = small_integers<std::int32_t>(rows * in, 1, -255, 255),
               w = small_integers<std::int32_t>(in * out, 2, -128, 127);
    const auto bias = small_integers<std::int32_t>(out, 3, -1000, 1000);
    std::vector<std::int32_t> expected;
    for (Index r = 0; r < rows; ++r)
      for (Index o = 0; o < out; ++o) {
        std::int32_t sum = bias[static_cast<std::size_t>(o)];
        for (Index i = 0; i < in; ++i)
          sum += x[static_cast<std::size_t>(r * in + i)] * w[static_cast<std::size_t>(i * out + o)];
        expected.push_back(sum);
      }
    for_each_setting([&] {
      std::vector<std::int32_t> acc(expected.size());
      kernels::dense_codes_int32(rows, in, out, x.data(), w.data(), bias.data(), acc.data());
      CHECK(same_bits(acc, expected));
      const std::vector<std::int16_t> x16(x.begin(), x.end()), w16(w.begin(), w.end());
      std::ranges::fill(acc, 77);
      kernels::Int16Dense(in, out, w16.data(), bias.data()).run(rows, x16.data(), acc.data());
      CHECK(same_bits(acc, expected));
    });
  }
}

TEST_CASE("accumulators that overflow wrap around and are no undefined behaviour") {
  const std::int32_t x[] = {65536, 65536}, w[] = {32767, 1};
  std::int32_t acc = 0;
  kernels::dense_codes_int32(1, 2, 1, x, w, nullptr, &acc);
  CHECK(acc == std::numeric_limits<std::int32_t>::min());
}

TEMPLATE_TEST_CASE("requantization: float product, half to even, then the zero point", "", std::int32_t, std::uint8_t,
                   std::int8_t) {
  using Code = TestType;
  const std::int32_t lo = std::numeric_limits<Code>::is_signed ? -128 : 0, hi = lo + 255;
  for (const Index channels : {1, 3, 16, 300})
    for (const Index rows : {0, 1, 29, 700}) {
      auto acc = small_integers<std::int32_t>(rows * channels, 1, -2000, 2000);
      for (std::size_t i = 0; i < acc.size(); i += 9)
        acc[i] = static_cast<std::int32_t>(i * 2654435761u);  // all magnitudes
      std::vector<float> m(static_cast<std::size_t>(channels));
      for (std::size_t c = 0; c < m.size(); ++c)
        m[c] = c % 2 == 0 ? 0.125f : 0.0317f / static_cast<float>(c);  // eighths give ties
      for (const std::int32_t zero_point : {0, 3, -5}) {
        std::vector<Code> expected(acc.size()), from_float(acc.size());
        std::vector<float> carried(acc.begin(), acc.end());
        for (std::size_t i = 0; i < acc.size(); ++i) {
          const volatile float product = static_cast<float>(acc[i]) * m[i % m.size()];
          const double code = std::nearbyint(static_cast<double>(product)) + zero_point;
          expected[i] = static_cast<Code>(std::min(std::max(code, static_cast<double>(lo)), static_cast<double>(hi)));
        }
        for_each_setting([&] {
          std::vector<Code> q(acc.size());
          const kernels::Requantization rule{m.data(), zero_point, lo, hi};
          kernels::requantize(rows, channels, acc.data(), rule, q.data());
          CHECK(same_bits(q, expected));
          kernels::requantize(rows, channels, carried.data(), rule, from_float.data());
          CHECK(same_bits(from_float, expected));
        });
      }
    }
  const float one = 1.0f;
  Code q{};
  const std::int32_t zero = 0;
  CHECK_THROWS_AS(kernels::requantize(1, 1, &zero, {&one, 0, 0, 1 << 21}, &q), ValueError);
  CHECK_THROWS_AS(kernels::requantize(1, 1, &zero, {&one, 1 << 21, 0, 1}, &q), ValueError);
}

TEMPLATE_TEST_CASE("zero points come off codes", "", std::int32_t, std::uint8_t, std::int8_t) {
  const auto q = small_integers<TestType>(1000, 1, 0, 127);
  std::vector<std::int32_t> y(q.size());
  kernels::subtract_zero_point(1000, q.data(), 130, y.data());
  bool right = true;
  for (std::size_t i = 0; i < q.size(); ++i) right &= y[i] == static_cast<std::int32_t>(q[i]) - 130;
  CHECK(right);
}
