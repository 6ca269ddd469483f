// The numbers that the requantization modes compute with (requantization.hpp). The naive executor shares nothing with
// this file.
#pragma once

#include <cstdint>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// value / 2^31 * 2^shift
struct FixedPoint {
  std::int32_t value = 0;  ///< 2^30 .. 2^31 - 1, or 0
  int shift = 0;           ///< -31 .. 30
};

/// TFLite's QuantizeMultiplier for real >= 0: below about 2^-32 it is 0, as there. `shift` exceeds 30 for real >= 2^30,
/// which multiply_*() do not take.
FixedPoint fixed_point(double real);

/// MultiplyByQuantizedMultiplier: x * m with two roundings; |x| * 2^max(shift, 0) must be below 2^31.
std::int32_t multiply_rounding_twice(std::int32_t x, const FixedPoint& m);
/// The same of TFLITE_SINGLE_ROUNDING; |x| * 2^max(shift, 0) must be below 2^31.
std::int32_t multiply_rounding_once(std::int32_t x, const FixedPoint& m);

/// For modes that use fixed point.
enum class Rounding { twice, once };
std::int32_t multiply(Rounding rounding, std::int32_t x, const FixedPoint& m);

inline bool uses_fixed_point(RequantizationMode mode) {
  return mode != RequantizationMode::ort && mode != RequantizationMode::xnnpack;
}
/// Of sums and averages.
inline Rounding rounding_of(RequantizationMode mode) {
  return mode == RequantizationMode::single ? Rounding::once : Rounding::twice;
}
/// Of a layer, whose kernel is of rank 2 in dense ones.
inline Rounding rounding_of(RequantizationMode mode, const IntegerWeights& weights) {
  const bool reference_dense = mode == RequantizationMode::tflite_reference && weights.codes.rank() == 2;
  return reference_dense ? Rounding::once : rounding_of(mode);
}

/// Of a layer, per output channel: float64(s_x) * s_w[c] / s_y, but float32(s_x * s_w) / s_y in dense layers with one
/// scale, as TFLite prepares them.
std::vector<FixedPoint> layer_multipliers(const IntegerWeights& weights, const Grid& x, const Grid& y);

/// y = clamp(multiply(multiply((a - z_a) * 2^20, a), + multiply((b - z_b) * 2^20, b), sum) + z_y)
struct TfliteAddition {
  static constexpr int left_shift = 20;
  FixedPoint a, b;  ///< s / (2 max(s_a, s_b))
  FixedPoint sum;   ///< 2 max(s_a, s_b) / (2^20 s_y), below 1
};
TfliteAddition tflite_addition(const Grid& a, const Grid& b, const Grid& y);

/// y = clamp(floor(((a - z_a) * a + (b - z_b) * b + 2^(shift-1)) / 2^shift) + z_y): multipliers of 21 bits, halves up.
struct XnnpackAddition {
  std::int32_t a = 0, b = 0;  ///< half_even(s / s_y * 2^shift)
  int shift = 0;              ///< 20 - the larger ratio's exponent: 12 .. 30 for ratios in [2^-10, 2^8)
};
XnnpackAddition xnnpack_addition(const Grid& a, const Grid& b, const Grid& y);

/// TFLite's Mean: s_x / s_y in fixed point, divided by the number of pixels there.
FixedPoint average_multiplier(const Grid& x, const Grid& y, Index pixels);

/// On codes as int8 has them, t = q - lo - 128, and their zero points t0: all float32,
///   t_y = half_even(fl(float(sum of t_x) * multiplier) + bias)
/// with multiplier = fl(fl(s_x / s_y) * fl(1 / n)) and bias = fl(t0_y - fl(float(t0_x * n) * multiplier)).
struct XnnpackAverage {
  float multiplier = 0, bias = 0;
};
XnnpackAverage xnnpack_average(const Grid& x, const Grid& y, Index pixels);

/// Of the average of a window of so many pixels, in modes other than ort: that of a depthwise convolution by ones whose
/// scale is fl(1 / pixels).
struct WindowMultiplier {
  float real = 0;    ///< fl(fl(s_x * fl(1 / pixels)) / s_y), of xnnpack
  FixedPoint fixed;  ///< of the others
};
WindowMultiplier window_multiplier(const Grid& x, const Grid& y, Index pixels);
/// How many pixels of the image the windows of a pooling hold: every number that occurs, ascending.
std::vector<Index> window_pixels(const Pool2DGeometry& geometry);

inline constexpr std::int32_t lowest_int8 = -128;

/// NotImplementedError naming the tensor or node that has no arithmetic in the graph's mode.
void check_mode(const InferenceGraph& graph);

}  // namespace bitgrad::inference
