#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <bitgrad/core/kernels/activations.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

template <class T>
std::vector<T> with_specials(Index size, unsigned seed) {
  const auto values = reals(size, seed, 8.0f);
  std::vector<T> result(values.begin(), values.end());
  const T inf = std::numeric_limits<T>::infinity();
  const T specials[] = {
      T{0}, -T{0}, T{6}, inf, -inf, std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::denorm_min()};
  for (std::size_t i = 0; i < result.size(); i += 5) result[i] = specials[(i / 5 + seed) % std::size(specials)];
  return result;
}

constexpr Index sizes[] = {0, 1, 3, 16, 63, 1000, 70001};

/// kernel(n, a, b, y) against y = f(a, b, old y), in place as well.
template <class T, class Kernel, class F>
void check_binary(Kernel kernel, F f) {
  for (const Index n : sizes) {
    const auto a = with_specials<T>(n, 1), b = with_specials<T>(n, 2), y = with_specials<T>(n, 3);
    std::vector<T> expected(y), in_place(y);
    for (std::size_t i = 0; i < y.size(); ++i) expected[i] = f(a[i], b[i], y[i]), in_place[i] = f(a[i], b[i], a[i]);
    for_each_setting([&] {
      auto got = y;
      kernel(n, a.data(), b.data(), got.data());
      CHECK(same_bits(got, expected));
      got = a;
      kernel(n, got.data(), b.data(), got.data());
      CHECK(same_bits(got, in_place));
    });
  }
}

template <class T, class Kernel, class F>
void check_unary(Kernel kernel, F f) {
  check_binary<T>([&](Index n, const T* a, const T*, T* y) { kernel(n, a, y); }, [&](T a, T, T y) { return f(a, y); });
}

/// kernel(n, x, dy, store, dx) against what passes(x, dy) lets through, added and overwritten.
template <class T, class Kernel, class F>
void check_gradient(Kernel kernel, F passes) {
  using kernels::Store;
  check_binary<T>([&](Index n, const T* x, const T* dy, T* dx) { kernel(n, x, dy, Store::add, dx); },
                  [&](T x, T dy, T dx) { return dx + passes(x, dy); });
  check_binary<T>([&](Index n, const T* x, const T* dy, T* dx) { kernel(n, x, dy, Store::overwrite, dx); },
                  [&](T x, T dy, T) { return passes(x, dy) + T{0}; });
}

}  // namespace

TEMPLATE_TEST_CASE("arithmetic is exact under every instruction set", "", float, double) {
  using T = TestType;
  namespace k = kernels;
  check_binary<T>(k::add<T>, [](T a, T b, T) { return a + b; });
  check_binary<T>(k::subtract<T>, [](T a, T b, T) { return a - b; });
  check_binary<T>(k::multiply<T>, [](T a, T b, T) { return a * b; });
  check_binary<T>(k::divide<T>, [](T a, T b, T) { return a / b; });
  check_unary<T>([](Index n, const T* x, T* y) { k::scale(n, T(0.3), x, y); }, [](T x, T) { return T(0.3) * x; });
  check_unary<T>(k::absolute<T>, [](T x, T) { return std::abs(x); });
  check_unary<T>(k::square_root<T>, [](T x, T) { return std::sqrt(x); });
}

TEMPLATE_TEST_CASE("activations and their gradients", "", float, double) {
  using T = TestType;
  namespace k = kernels;
  check_unary<T>(k::relu<T>, [](T x, T) { return std::isnan(x) ? x : (x > 0 ? x : T{0}); });
  check_unary<T>([](Index n, const T* x, T* y) { k::clip(n, T(-1.5), T(6), x, y); },
                 [](T x, T) { return std::isnan(x) ? x : std::min(std::max(x, T(-1.5)), T(6)); });
  check_gradient<T>(k::relu_gradient<T>, [](T x, T dy) { return x > 0 ? dy : T{0}; });
  check_gradient<T>(k::relu6_gradient<T>, [](T x, T dy) { return x > 0 && x < 6 ? dy : T{0}; });
  check_gradient<T>([](Index n, const T* x, const T* dy, k::Store store,
                       T* dx) { k::clip_gradient(n, T(0), T(6), x, dy, store, dx); },
                    [](T x, T dy) { return x >= 0 && x <= 6 ? dy : T{0}; });
  check_gradient<T>(k::absolute_gradient<T>, [](T x, T dy) { return x > 0 ? dy : x < 0 ? -dy : T{0}; });
  check_gradient<T>(k::square_root_gradient<T>, [](T y, T dy) { return dy / (T{2} * y); });
  check_gradient<T>(k::logarithm_gradient<T>, [](T x, T dy) { return dy / x; });
  check_gradient<T>(k::exponential_gradient<T>, [](T y, T dy) {
    const volatile T product = dy * y;  // rounded, never fused
    return T{product};
  });
  check_gradient<T>(k::sigmoid_gradient<T>, [](T y, T dy) {
    const volatile T slope = y * (T{1} - y);
    const volatile T product = dy * slope;
    return T{product};
  });
  const auto ramp = [](T x) { return std::isnan(x) ? x : std::min(std::max(x + T{3}, T{0}), T{6}) / T{6}; };
  check_unary<T>(k::hard_sigmoid<T>, [=](T x, T) { return ramp(x); });
  check_unary<T>(k::hard_swish<T>, [=](T x, T) { return x <= -3 ? T{0} : x * ramp(x); });
  check_unary<T>([](Index n, const T* x, T* y) { k::leaky_relu(n, T(0.3), x, y); },
                 [](T x, T) { return x > 0 ? x : T(0.3) * x; });
  check_gradient<T>(k::hard_sigmoid_gradient<T>, [](T x, T dy) { return x > -3 && x < 3 ? dy / T{6} : T{0}; });
  check_gradient<T>(k::hard_swish_gradient<T>, [](T x, T dy) {
    if (x <= -3) return T{0};
    const volatile T passes = x >= 3 ? dy : dy * ((T{2} * x + T{3}) / T{6});
    return T{passes};
  });
  check_gradient<T>([](Index n, const T* x, const T* dy, k::Store store,
                       T* dx) { k::leaky_relu_gradient(n, T(0.3), x, dy, store, dx); },
                    [](T x, T dy) {
                      const volatile T passes = x > 0 ? dy : T(0.3) * dy;
                      return T{passes};
                    });
  check_gradient<T>(k::hyperbolic_tangent_gradient<T>, [](T y, T dy) {
    const volatile T square = y * y;
    const volatile T passes = dy * (T{1} - square);
    return T{passes};
  });
  check_unary<T>(k::logarithm<T>, [](T x, T) { return std::log(x); });
}

TEMPLATE_TEST_CASE("a choice by a mask reads no NaN of the other side, gradients included", "", float, double) {
  using T = TestType;
  for (const Index n : sizes) {
    const auto mask = with_specials<T>(n, 4), a = with_specials<T>(n, 1), b = with_specials<T>(n, 2);
    std::vector<T> expected(a);
    for (std::size_t i = 0; i < a.size(); ++i) expected[i] = mask[i] != 0 ? a[i] : b[i];
    for_each_setting([&] {
      auto got = a;
      kernels::choose(n, mask.data(), got.data(), b.data(), got.data());
      CHECK(same_bits(got, expected));
    });
  }
  check_gradient<T>(kernels::chosen_gradient<T>, [](T mask, T dy) { return mask != 0 ? dy : T{0}; });
  check_gradient<T>(kernels::rejected_gradient<T>, [](T mask, T dy) { return mask != 0 ? T{0} : dy; });
}

TEMPLATE_TEST_CASE("powers by products and roots, exact", "", float, double) {
  using T = TestType;
  const auto power = [](double exponent) {
    return [=](Index n, const T* x, T* y) { kernels::power(n, exponent, x, y); };
  };
  const auto square = [](T x) {
    const volatile T product = x * x;  // rounded, never fused
    return T{product};
  };
  check_unary<T>(power(0), [](T, T) { return T{1}; });
  check_unary<T>(power(1), [](T x, T) { return x; });
  check_unary<T>(power(2), [=](T x, T) { return square(x); });
  check_unary<T>(power(3), [=](T x, T) { return x * square(x); });
  check_unary<T>(power(4), [=](T x, T) { return square(square(x)); });
  check_unary<T>(power(-1), [](T x, T) { return T{1} / x; });
  check_unary<T>(power(-2), [=](T x, T) { return T{1} / square(x); });
  check_unary<T>(power(0.5), [](T x, T) { return T{0} + std::sqrt(x); });
  check_unary<T>(power(1.5), [](T x, T) { return (T{0} + std::sqrt(x)) * x; });
  const auto slopes = [](double exponent) {
    return [=](Index n, const T* x, const T* dy, kernels::Store store, T* dx) {
      kernels::power_gradient(n, exponent, x, dy, store, dx);
    };
  };
  check_gradient<T>(slopes(3), [=](T x, T dy) {
    const volatile T slope = T{3} * square(x);
    const volatile T passes = dy * slope;
    return T{passes};
  });
  check_gradient<T>(slopes(0), [](T, T dy) {
    const volatile T passes = dy * T{0};
    return T{passes};
  });
}

TEMPLATE_TEST_CASE("other powers are close to the true ones, with the same bits under every instruction set", "", float,
                   double) {
  using T = TestType;
  const auto x = with_specials<T>(70001, 1);
  const Index n = static_cast<Index>(x.size());
  for (const double exponent : {1.7, -0.3, 70.0, 1.0 / 3}) {
    std::vector<T> expected(x.size()), got(x.size());
    {
      const IsaScope isa(kernels::Isa::base);
      kernels::power(n, exponent, x.data(), expected.data());
    }
    Index wrong = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const T y = expected[i];
      if (!(x[i] >= 0)) {
        wrong += !std::isnan(y);
        continue;
      }
      const double truth = std::pow(static_cast<double>(x[i]), exponent);
      const double logarithm = std::max(1.0, std::abs(std::log(std::max(truth, 1e-320))));
      const double bound = std::abs(truth) * 4 * static_cast<double>(std::numeric_limits<T>::epsilon()) *
                           (sizeof(T) == 8 ? logarithm : 1.0);
      const bool same = static_cast<T>(truth) == y;  // 0 and infinity, and those beyond the range of T
      wrong += !same && !(std::abs(static_cast<double>(y) - truth) <=
                          bound + static_cast<double>(std::numeric_limits<T>::min()));
    }
    CAPTURE(exponent);
    CHECK(wrong == 0);
    for_each_setting([&] {
      kernels::power(n, exponent, x.data(), got.data());
      CHECK(same_bits(got, expected));
    });
  }
}

TEST_CASE("operations with a row, for every width") {
  for (const Index channels : {0, 1, 2, 3, 10, 64, 255, 256, 300, 40000})
    for (const Index rows : {0, 1, 2, 37}) {
      const auto x = with_specials<float>(rows * channels, 1), y = with_specials<float>(rows * channels, 3);
      const auto row = with_specials<float>(channels, 2);
      const auto check = [&](auto kernel, auto f) {
        auto expected = y;
        for (std::size_t i = 0; i < x.size(); ++i)
          expected[i] = f(x[i], row[i % static_cast<std::size_t>(channels)], y[i]);
        auto got = y;
        kernel(rows, channels, x.data(), row.data(), got.data());
        CAPTURE(rows, channels);
        CHECK(same_bits(got, expected));
      };
      for_each_setting([&] {
        check(kernels::add_row<float>, [](float a, float b, float) { return a + b; });
        check(kernels::subtract_row<float>, [](float a, float b, float) { return a - b; });
        check(kernels::multiply_row<float>, [](float a, float b, float) { return a * b; });
        check(kernels::divide_row<float>, [](float a, float b, float) { return a / b; });
      });
    }
}

TEST_CASE("column sums are exact where they can be, add, and never depend on threads or instruction set") {
  for (const Index channels : {1, 3, 16, 255, 300})
    for (const Index rows : {0, 1, 2, 37, 5003}) {
      const auto a = small_integers(rows * channels, 1), b = small_integers(rows * channels, 2);
      const auto real_a = reals(rows * channels, 3), real_b = reals(rows * channels, 4);
      std::vector<float> expected(static_cast<std::size_t>(channels), 5.0f), expected_product(expected), first,
          first_product;
      for (std::size_t i = 0; i < a.size(); ++i) {
        expected[i % expected.size()] += a[i];
        expected_product[i % expected.size()] += a[i] * b[i];
      }
      for_each_setting([&] {
        CAPTURE(rows, channels);
        std::vector<float> sums(expected.size(), 5.0f), products(sums), real_sums(sums.size()),
            real_products(sums.size());
        kernels::add_column_sums(rows, channels, a.data(), sums.data());
        kernels::add_column_sums_of_product(rows, channels, a.data(), b.data(), products.data());
        CHECK(sums == expected);
        CHECK(products == expected_product);
        kernels::add_column_sums(rows, channels, real_a.data(), real_sums.data());
        kernels::add_column_sums_of_product(rows, channels, real_a.data(), real_b.data(), real_products.data());
        if (first.empty()) first = real_sums, first_product = real_products;
        CHECK(same_bits(real_sums, first));
        CHECK(same_bits(real_products, first_product));
      });
    }
}

TEST_CASE("a sum of 2^25 tenths loses no digits") {
  const Index n = Index{1} << 25;
  const std::vector<float> x(static_cast<std::size_t>(n), 0.1f);
  float sum = 0;
  kernels::add_column_sums(n, 1, x.data(), &sum);
  CHECK(sum == static_cast<float>(static_cast<double>(0.1f) * static_cast<double>(n)));
}
