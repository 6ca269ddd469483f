// The integer grid of a converted quantizer. Codes, graphs, engines and exports know nothing else of it.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// The rule between floats and codes:
///   code  = clamp(half_even(x / scale) + zero_point, lo, hi)
///   value = (code - zero_point) * scale
/// with a true float32 division, the zero point added after rounding; the value in float32. One scale and zero point
/// per tensor, or one per channel.
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

/// Throws ValueError that starts with `what` and says what is wrong: bits outside 1..16, lo > hi, more codes than the
/// bits have, a scale that is not finite and positive, counts that differ, codes or a zero point of more than 2^20 in
/// magnitude.
void validate(const Grid& grid, std::string_view what);

/// int32 codes of a float32 tensor. ShapeError for another dtype and when a per-channel grid does not fit; ValueError
/// for NaN, naming its position, and for a grid that validate() refuses. Messages start with `what`.
Tensor codes_of(const Tensor& x, const Grid& grid, std::string_view what = "quantize");
/// float32 values of int32 codes, which are not compared with lo and hi. Throws likewise.
Tensor values_of(const Tensor& codes, const Grid& grid);

/// "4 bits, codes -8..7, scale [0.5], zero point [0]", long lists shortened.
std::ostream& operator<<(std::ostream& out, const Grid& grid);

}  // namespace bitgrad
