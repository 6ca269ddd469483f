// e^x, the logistic function, tanh, gelu and log_softmax against the standard library in extended precision.
#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <bitgrad/core/kernels/activations.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/kernels/softmax.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

template <class T>
std::vector<T> spread(T low, T high, Index count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = low + (high - low) * static_cast<T>(i) / static_cast<T>(count - 1);
  return values;
}

/// |value - exact| in units of the last place of the exact value in T.
template <class T>
long double ulps(T value, long double exact) {
  const T nearest = static_cast<T>(exact);
  if (std::isinf(nearest)) return std::isinf(value) ? 0 : std::numeric_limits<long double>::infinity();
  return std::abs(static_cast<long double>(value) - exact) /
         static_cast<long double>(std::nextafter(nearest, std::numeric_limits<T>::infinity()) - nearest);
}

template <class T>
struct Range;
template <>
struct Range<float> {
  static constexpr float zero_below = -103.98F, infinite_above = 88.73F;
};
template <>
struct Range<double> {
  static constexpr double zero_below = -745.14, infinite_above = 709.79;
};

/// The kernel's results, which must be the same bits in every setting.
template <class T, class Kernel>
std::vector<T> results(const std::vector<T>& x, Kernel kernel) {
  std::vector<T> first(x.size());
  kernel(static_cast<Index>(x.size()), x.data(), first.data());
  for_each_setting([&] {
    std::vector<T> again(x.size());
    kernel(static_cast<Index>(x.size()), x.data(), again.data());
    CHECK(same_bits(again, first));
  });
  return first;
}

}  // namespace

TEMPLATE_TEST_CASE("e^x is within 1.3 units of the last place, subnormal results included", "", float, double) {
  using T = TestType;
  for (const auto& x :
       {spread<T>(T{-1}, T{1}, 40001), spread<T>(Range<T>::zero_below - 2, Range<T>::infinite_above + 2, 100003)}) {
    const std::vector<T> y = results(x, kernels::exponential<T>);
    long double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, ulps(y[i], std::exp(static_cast<long double>(x[i]))));
    CHECK(worst < 1.3L);
  }
}

TEMPLATE_TEST_CASE("e^x at the ends: zero, infinity, NaN, and exactly 1 at 0", "", float, double) {
  using T = TestType;
  const T infinity = std::numeric_limits<T>::infinity(), largest = std::numeric_limits<T>::max();
  const std::vector<T> x{0,
                         -T{0},
                         infinity,
                         -infinity,
                         largest,
                         -largest,
                         Range<T>::zero_below,
                         Range<T>::infinite_above,
                         std::numeric_limits<T>::quiet_NaN()};
  const std::vector<T> y = results(x, kernels::exponential<T>);
  CHECK(std::vector<T>(y.begin(), y.end() - 1) == std::vector<T>{1, 1, infinity, 0, infinity, 0, 0, infinity});
  CHECK(std::isnan(y.back()));
}

TEMPLATE_TEST_CASE("the logistic function stays between 0 and 1 and is within 2.5 units of the last place", "", float,
                   double) {
  using T = TestType;
  const std::vector<T> x = spread<T>(T{-80}, T{80}, 50001), y = results(x, kernels::sigmoid<T>);
  long double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    CHECK((y[i] > 0 && y[i] <= 1));
    worst = std::max(worst, ulps(y[i], 1 / (1 + std::exp(-static_cast<long double>(x[i])))));
  }
  CHECK(worst < 2.5L);
}

TEMPLATE_TEST_CASE("tanh is within 4 units of the last place, also near 0, and 1 far out", "", float, double) {
  using T = TestType;
  for (const auto& x : {spread<T>(T{-1e-3F}, T{1e-3F}, 10001), spread<T>(T{-25}, T{25}, 50001)}) {
    const std::vector<T> y = results(x, kernels::hyperbolic_tangent<T>);
    long double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, ulps(y[i], std::tanh(static_cast<long double>(x[i]))));
    CHECK(worst < 4.0L);
  }
  const T infinity = std::numeric_limits<T>::infinity();
  const std::vector<T> ends = results(std::vector<T>{0, infinity, -infinity, std::numeric_limits<T>::quiet_NaN()},
                                      kernels::hyperbolic_tangent<T>);
  CHECK(std::vector<T>(ends.begin(), ends.end() - 1) == std::vector<T>{0, 1, -1});
  CHECK(std::isnan(ends.back()));
}

TEMPLATE_TEST_CASE("gelu and its gradient against their formulas, and at the ends", "", float, double) {
  using T = TestType;
  const long double c = std::sqrt(2 / std::acos(-1.0L)), epsilon = std::numeric_limits<T>::epsilon();
  const auto inner = [=](long double v) { return std::tanh(c * (v + 0.044715L * v * v * v)); };
  const auto slope = [=](long double v) {
    const long double t = inner(v);
    return (1 + t) / 2 + v / 2 * (1 - t * t) * c * (1 + 3 * 0.044715L * v * v);
  };
  std::vector<T> x = spread<T>(T{-8}, T{8}, 20001);
  const std::vector<T> y = results(x, kernels::gelu<T>);
  const auto gradient = [](Index n, const T* from, T* to) {
    const std::vector<T> ones(static_cast<std::size_t>(n), T{1});
    kernels::gelu_gradient(n, from, ones.data(), kernels::Store::overwrite, to);
  };
  const std::vector<T> dx = results(x, gradient);
  long double worst = 0, worst_slope = 0;  // in epsilons
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double v = x[i];
    worst = std::max(worst, std::abs(y[i] - v / 2 * (1 + inner(v))) / (epsilon * std::max(1.0L, std::abs(v))));
    worst_slope = std::max(worst_slope, std::abs(dx[i] - slope(v)) / epsilon);
  }
  CHECK(worst < 4);
  CHECK(worst_slope < 64);  // the rounding of 1 - t^2, times up to 30

  const T infinity = std::numeric_limits<T>::infinity(), large = std::numeric_limits<T>::max();
  x = {-infinity, -large, T{-20}, T{20}, large, infinity};
  CHECK(results(x, kernels::gelu<T>) == std::vector<T>{0, 0, 0, 20, large, infinity});
  CHECK(results(x, gradient) == std::vector<T>{0, 0, 0, 1, 1, 1});
  x = {std::numeric_limits<T>::quiet_NaN()};
  CHECK(std::isnan(results(x, kernels::gelu<T>).front()));
  CHECK(std::isnan(results(x, gradient).front()));
}

TEMPLATE_TEST_CASE("log_softmax of rows of every width, also of huge elements", "", float, double) {
  using T = TestType;
  for (const Index width : {1, 2, 7, 10, 33, 1000}) {
    const Index rows = 5;
    const std::vector<float> numbers = reals(rows * width, 3, 30);
    std::vector<T> x(numbers.begin(), numbers.end());
    x[0] = T{1e30F};
    const std::vector<T> y =
        results(x, [&](Index, const T* from, T* to) { kernels::log_softmax(rows, width, from, to); });
    for (Index row = 0; row < rows; ++row) {
      const auto* from = x.data() + row * width;
      long double largest = from[0], total = 0;
      for (Index i = 1; i < width; ++i) largest = std::max<long double>(largest, from[i]);
      for (Index i = 0; i < width; ++i) total += std::exp(from[i] - largest);
      for (Index i = 0; i < width; ++i) {
        const long double exact = from[i] - largest - std::log(total);
        const long double bound = 4 * std::numeric_limits<T>::epsilon() * std::max<long double>(1, std::abs(exact));
        CHECK(std::abs(static_cast<long double>(y[static_cast<std::size_t>(row * width + i)]) - exact) <= bound);
      }
    }
  }
  const std::vector<T> none;
  kernels::log_softmax<T>(0, 10, none.data(), nullptr);
  kernels::log_softmax<T>(10, 0, none.data(), nullptr);
}
