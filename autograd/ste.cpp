#include <bitgrad/autograd/ste.hpp>

#include <cmath>
#include <limits>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>

namespace bitgrad {
namespace {

/// From here on every number of type T is whole.
template <class T>
constexpr T whole_from = T{1} / std::numeric_limits<T>::epsilon();

/// Half to even: adding whole_from drops the fraction in the default rounding mode. Unlike nearbyint it vectorises on
/// every processor, with the same result, signed zeros, infinities and NaN included.
template <class T>
T round_half_even(T x) {
  const T rounded = std::copysign((std::abs(x) + whole_from<T>)-whole_from<T>, x);
  return std::abs(x) < whole_from<T> ? rounded : x;
}

template <class T>
T round_down(T x) {
  const T rounded = round_half_even(x);
  return rounded > x ? rounded - 1 : rounded;
}

/// (y - x) + x, the forward value of a straight-through estimator, where x is small enough for it; else y itself.
template <class T>
T through(T y, T x) {
  return std::abs(x) < whole_from<T> ? (y - x) + x : y;
}

/// y = f(x) with surrogate slope * x.
template <class F>
Variable straight_through(std::string_view name, const Variable& x, double slope, F f) {
  Tensor y = detail::map(name, x.value(), f);
  replay::residual(x.value(), y, slope);
  return record_operation(name, std::move(y), {x}, [=](const Tensor& g, GradSink& sink) {
    if (slope == 1.0)
      sink.add(0, g);
    else if (slope != 0.0)
      sink.add(0, detail::map(name, g, [=](auto v) { return v * static_cast<decltype(v)>(slope); }));
  });
}

}  // namespace

Variable ste_round(const Variable& x) {
  return straight_through("ste_round", x, 1.0, [](auto v) { return through(round_half_even(v), v); });
}

Variable ste_floor(const Variable& x) {
  return straight_through("ste_floor", x, 1.0, [](auto v) { return through(round_down(v), v); });
}

Variable ste_ceil(const Variable& x) {
  return straight_through("ste_ceil", x, 1.0, [](auto v) { return through(-round_down(-v), v); });
}

Variable ste_clip(const Variable& x, double lo, double hi) {
  if (!(lo <= hi)) fail<ValueError>("ste_clip: the range is [", lo, ", ", hi, "], expected lo <= hi");
  return straight_through("ste_clip", x, 1.0, [=](auto v) {
    using T = decltype(v);
    const T below = v < static_cast<T>(lo) ? static_cast<T>(lo) : v;
    return through(below > static_cast<T>(hi) ? static_cast<T>(hi) : below, v);
  });
}

Variable grad_scale(const Variable& x, double f) {
  if (!std::isfinite(f)) fail<ValueError>("grad_scale: the factor is ", f, ", expected a finite number");
  return straight_through("grad_scale", x, f, [=](auto v) {
    const auto scaled = v * static_cast<decltype(v)>(f);
    return (v - scaled) + scaled;
  });
}

Variable round(const Variable& x) {
  return straight_through("round", x, 0.0, [](auto v) { return round_half_even(v); });
}

}  // namespace bitgrad
