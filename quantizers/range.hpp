// Ranges and thresholds made ready for a grid, in the reference's arithmetic.
#pragma once

#include <cmath>

namespace bitgrad {

template <class T>
struct Range {
  T min, max;
};

/// Moves a range so that zero is one of its 2^bits levels: [0, max] for min > 0, [min, 0] for max < 0, otherwise a
/// shift by less than half a step that keeps the width. Every operation is rounded to T. A range of no width becomes
/// NaN.
template <class T>
Range<T> adjust_range_to_include_zero(T min, T max, int bits) {
  if (min > 0) return {T{0}, max};
  if (max < 0) return {min, T{0}};
  const T step = (max - min) / static_cast<T>((1 << bits) - 1);
  const T adjusted = step * std::nearbyint(min / step);
  return {adjusted, (max - min) + adjusted};
}

/// The reference's test: log2 in double equals its rounding.
inline bool is_power_of_two(double threshold) {
  return threshold > 0 && std::isfinite(threshold) && std::log2(threshold) == std::nearbyint(std::log2(threshold));
}

/// 2^ceil(log2(max(threshold, 2^-16))) in double: how the reference starts power-of-two weights.
inline double power_of_two_at_start(double threshold) {
  return std::exp2(std::ceil(std::log2(threshold > 0x1p-16 ? threshold : 0x1p-16)));
}

/// 2^ceil(log2(threshold)) with a float32 logarithm and no floor: how the reference converts. From 16 up the logarithm
/// swallows the last bits, so that the float just above 16 gives 16. NaN for a negative threshold.
inline float power_of_two_at_conversion(float threshold) {
  return std::exp2(std::ceil(static_cast<float>(std::log2(static_cast<double>(threshold)))));
}

}  // namespace bitgrad
