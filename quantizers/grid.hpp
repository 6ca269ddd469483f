// The integer grid of a converted quantizer. Codes, graphs, engines and exports know nothing else of it.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// code = clamp(half_even(x / scale) + zero_point, lo, hi) with a true float32 division, the zero point added after
/// rounding; value = (code - zero_point) * scale in float32. One scale and zero point per tensor, or one per channel.
struct Grid {
  int bits = 8;
  std::int32_t lo = 0;
  std::int32_t hi = 255;
  std::vector<float> scale;              ///< finite, positive; 1 element, or one per channel
  std::vector<std::int32_t> zero_point;  ///< as many as scales
  std::optional<int> channel_axis;       ///< of the quantized tensor, negative counts from the end; empty: per tensor

  bool is_signed() const { return lo < 0; }
  bool per_channel() const { return channel_axis.has_value(); }
  bool operator==(const Grid&) const = default;
};

/// The levels of a look-up-table quantizer: value = entry * scale in float32, one scale per tensor or one per channel.
struct LookupTable {
  int bits = 8;  ///< of an entry
  bool is_signed = true;
  std::vector<std::int32_t> entries;  ///< in the table's own order, which decides ties; an entry may occur twice
  std::vector<float> scale;           ///< finite, positive; 1 element, or one per channel
  std::optional<int> channel_axis;    ///< of the quantized tensor, negative counts from the end; empty: per tensor

  bool operator==(const LookupTable&) const = default;
};

/// Throws ValueError naming what is wrong: bits outside 1..16, lo > hi, a scale that is not finite and positive, counts
/// that differ, a zero point outside what int32 arithmetic allows.
void validate(const Grid& grid, std::string_view what);

/// int32 codes of a float32 tensor. ShapeError when a per-channel grid does not fit; ValueError for NaN, naming its
/// position.
Tensor codes_of(const Tensor& x, const Grid& grid, std::string_view what = "quantize");
/// float32 values of int32 codes.
Tensor values_of(const Tensor& codes, const Grid& grid);

std::ostream& operator<<(std::ostream& out, const Grid& grid);

}  // namespace bitgrad
