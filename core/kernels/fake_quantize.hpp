// Quantization loops: onto a grid and back to real numbers, to integer codes, and the straight-through gradients.
// All rounding is half to even, divisions are true divisions unless said otherwise, nothing is contracted. Results
// other than sums are the same bits under every instruction set; sums run in double over fixed chunks in fixed order.
// Bounds and zero points are whole numbers of at most 2^20 in magnitude: ValueError otherwise.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// Which elements share parameters: a row-major tensor seen as [outer, channels, inner], one set of parameters per
/// channel.
struct ChannelLayout {
  Index outer = 1;
  Index channels = 1;
  Index inner = 1;

  Index size() const { return outer * channels * inner; }
};

/// One set of parameters for all `size` elements.
ChannelLayout per_tensor(Index size);
/// One set per index of `axis` (negative: from the end). Throws ShapeError when there is no such axis.
ChannelLayout per_channel(const Shape& shape, int axis);
/// For parameters that broadcast against `shape` (NumPy's rule) and differ along one axis at most. Throws ShapeError
/// naming `what` for any other parameter shape.
ChannelLayout per_channel(const Shape& shape, const Shape& parameters, std::string_view what);

/// The grid of a quantizer in training: levels lo..hi, `scale` apart, shifted by `offset`. T is float or double.
template <class T>
struct LevelGrid {
  const T* scale;                 ///< one per channel
  const T* offset = nullptr;      ///< one per channel, or null for none
  T lo;                           ///< lowest level, a whole number
  T hi;                           ///< highest level
  const T* zero_point = nullptr;  ///< one per channel, taken off lo and hi; whole numbers; null for zeros
};

/// y = s * clamp(half_even((x - a) / s), lo - z, hi - z) + a, where a is the offset, or without one left out.
/// Infinities saturate, NaN stays NaN, level 0 is +0 for positive scales. y may be x.
template <class T>
void fake_quantize(const ChannelLayout& layout, const T* x, const LevelGrid<T>& grid, T* y);

/// How the gradient passes the rounding and the clamp.
enum class StraightThrough {
  /// As if rounding were the identity: elements whose rounded level lies outside of the bounds pass nothing.
  masked,
  /// The same, but elements whose unrounded level lies outside of the bounds pass nothing (LSQ as published).
  value_masked,
  /// As if the clamp were the identity, too: every element passes everything (the reference's STE).
  unmasked
};

/// Per channel, in double.
struct FakeQuantizeSums {
  std::vector<double> scale;  ///< dL/ds
  /// dL/da, also -dL/dz / s; all zero with neither offset nor zero point, and when unmasked.
  std::vector<double> offset;
};

/// Straight-through gradients of fake_quantize. With u = (x - a) / s, r = half_even(u), c = clamp(r, lo - z, hi - z)
/// and the mask m = 1 where lo - z <= r <= hi - z (the same of u when value_masked, everywhere when unmasked):
///   dx (+)= m * dy,   dL/ds = sum of dy * (c - m * u),   dL/da = sum of dy * (1 - m).
/// Esser et al. 2020 (LSQ), equations 2 and 3, before the gradient scale. dx may be null.
template <class T>
FakeQuantizeSums fake_quantize_gradient(const ChannelLayout& layout, const T* x, const LevelGrid<T>& grid,
                                        StraightThrough mode, const T* dy, Store store, T* dx);

/// The grid of a converted quantizer: code = clamp(half_even(x / scale) + zero_point, lo, hi),
/// value = (code - zero_point) * scale.
struct CodeGrid {
  const float* scale;              ///< one per channel, finite and positive
  const std::int32_t* zero_point;  ///< one per channel
  std::int32_t lo = 0;
  std::int32_t hi = 255;
};

/// y = value of the code of x, with x * f32(1 / scale) in place of the division: the arithmetic of PyTorch's
/// fake_quantize kernels. Infinities saturate, NaN stays NaN, the zero point's value is +0. y may be x.
void quantize_to_values(const ChannelLayout& layout, const float* x, const CodeGrid& grid, float* y);

/// q = code of x, by true division. Code is int32, int16, uint8 or int8. Throws ValueError naming `what` and the
/// position for NaN (q is unspecified then), and when lo or hi does not fit Code.
template <class Code>
void quantize_to_codes(const ChannelLayout& layout, const float* x, const CodeGrid& grid, std::string_view what,
                       Code* q);

/// y = float(q - zero_point) * scale
template <class Code>
void codes_to_values(const ChannelLayout& layout, const Code* q, const CodeGrid& grid, float* y);

}  // namespace bitgrad::kernels
