// What the wrappers of the loops on integer codes share: choosing the loops of a code type, checking bounds.
#pragma once

#include <limits>
#include <string_view>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/isa/table.hpp>

namespace bitgrad::kernels {

template <class Code>
const CodeKernels<Code>& code_table() {
  if constexpr (sizeof(Code) == sizeof(std::int32_t))
    return table().int32;
  else if constexpr (sizeof(Code) == sizeof(std::int16_t))
    return table().int16;
  else if constexpr (std::numeric_limits<Code>::is_signed)
    return table().int8;
  else
    return table().uint8;
}

/// Largest magnitude of levels, codes and zero points: the loops' rounding is exact up to 2^22, and differences of two
/// such numbers and one more step must stay below.
inline constexpr double largest_level = 1 << 20;

/// Throws ValueError unless lo <= hi, both within largest_level.
template <class T>
void check_levels(std::string_view what, T lo, T hi) {
  const bool fine = lo <= hi && static_cast<double>(lo) >= -largest_level && static_cast<double>(hi) <= largest_level;
  if (!fine) fail<ValueError>(what, ": levels ", lo, " to ", hi, ", expected lo <= hi, both within 2^20");
}

/// A bound of the levels with the zero point taken off, as the loops want it. ValueError unless |zero_point| <=
/// largest_level.
template <class T>
T centered_bound(T bound, T zero_point) {
  const bool fine =
      zero_point >= static_cast<T>(-largest_level) && zero_point <= static_cast<T>(largest_level);  // NaN is not
  if (!fine) fail<ValueError>("fake_quantize: zero point ", zero_point, ", expected at most 2^20 in magnitude");
  return bound - zero_point;
}

/// Throws ValueError unless lo and hi are levels that fit Code.
template <class Code>
void check_codes(std::string_view what, std::int32_t lo, std::int32_t hi) {
  check_levels(what, lo, hi);
  using Limits = std::numeric_limits<Code>;
  if (lo < Limits::min() || hi > Limits::max())
    fail<ValueError>(what, ": codes ", lo, " to ", hi, " do not fit ", +Limits::min(), " to ", +Limits::max());
}

/// Throws ValueError unless the zero point is within largest_level.
inline void check_zero_point(std::string_view what, std::int32_t zero_point) {
  if (zero_point < -largest_level || zero_point > largest_level)
    fail<ValueError>(what, ": zero point ", zero_point, ", expected at most 2^20 in magnitude");
}

}  // namespace bitgrad::kernels
