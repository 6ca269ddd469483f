// Logarithm and exponential that are the same bits on every system: random numbers are made of them, and whatever is
// drawn once must be drawn again elsewhere.
#pragma once

#include <cmath>

namespace bitgrad {

/// Natural logarithm within a few units in the last place for normal x > 0, from operations that IEEE 754 rounds in one
/// way only: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m = 2 artanh(s) with s = (m - 1) / (m + 1), |s| < 0.172.
inline double portable_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752440) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double series = 0;
  for (int k = 23; k >= 3; k -= 2) series = (series + 1.0 / k) * s2;
  return exponent * 0.69314718055994530942 + 2 * (s + s * series);
}

/// e^x, likewise, for |x| <= 700; x = n log 2 + r with |r| <= log(2) / 2, whose power series has vanished at the 20th
/// term. The relative error grows with n: some units in the last place each 10.
inline double portable_exp(double x) {
  const double n = std::nearbyint(x / 0.69314718055994530942);
  const double r = x - n * 0.69314718055994530942;
  double sum = 1;
  for (int k = 20; k >= 1; --k) sum = 1 + sum * r / k;
  return std::ldexp(sum, static_cast<int>(n));
}

}  // namespace bitgrad
