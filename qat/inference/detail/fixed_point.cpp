#include <bitgrad/qat/inference/detail/fixed_point.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <set>

namespace bitgrad::inference {
namespace {

double ratio(const Grid& x, const Grid& y) { return static_cast<double>(x.scale[0]) / static_cast<double>(y.scale[0]); }

}  // namespace

FixedPoint fixed_point(double real) {
  if (real == 0) return {};
  if (!(real < 0x1p31)) return {std::numeric_limits<std::int32_t>::max(), 32};  // too large: check_mode() refuses it
  int shift = 0;
  auto value = static_cast<std::int64_t>(std::round(std::ldexp(std::frexp(real, &shift), 31)));
  if (value == std::int64_t{1} << 31) {
    value /= 2;
    ++shift;
  }
  if (shift < -31) return {};  // every product would be rounded to nothing
  return {static_cast<std::int32_t>(value), shift};
}

std::int32_t multiply_rounding_twice(std::int32_t x, const FixedPoint& m) {
  const int left = std::max(m.shift, 0), right = std::max(-m.shift, 0);
  const std::int64_t product = std::int64_t{x} * (std::int64_t{1} << left) * m.value;
  const std::int64_t high = (product + (std::int64_t{1} << 30)) >> 31;
  if (right == 0) return static_cast<std::int32_t>(high);
  const std::int64_t magnitude = (std::abs(high) + (std::int64_t{1} << (right - 1))) >> right;
  return static_cast<std::int32_t>(high < 0 ? -magnitude : magnitude);
}

std::int32_t multiply_rounding_once(std::int32_t x, const FixedPoint& m) {
  const int shift = 31 - m.shift;
  return static_cast<std::int32_t>((std::int64_t{x} * m.value + (std::int64_t{1} << (shift - 1))) >> shift);
}

std::int32_t multiply(Rounding rounding, std::int32_t x, const FixedPoint& m) {
  return rounding == Rounding::once ? multiply_rounding_once(x, m) : multiply_rounding_twice(x, m);
}

std::vector<FixedPoint> layer_multipliers(const IntegerWeights& weights, const Grid& x, const Grid& y) {
  std::vector<FixedPoint> result;
  const std::vector<float>& scales = weights.grid.scale;
  const bool dense_per_tensor = scales.size() == 1 && weights.codes.rank() == 2;
  for (std::size_t c = 0; c < weights.multiplier.size(); ++c) {
    const float scale = scales[scales.size() == 1 ? 0 : c];
    const double product = dense_per_tensor ? static_cast<double>(x.scale[0] * scale)
                                            : static_cast<double>(x.scale[0]) * static_cast<double>(scale);
    result.push_back(fixed_point(product / static_cast<double>(y.scale[0])));
  }
  return result;
}

TfliteAddition tflite_addition(const Grid& a, const Grid& b, const Grid& y) {
  const double twice_larger = 2 * static_cast<double>(std::max(a.scale[0], b.scale[0]));
  return {fixed_point(static_cast<double>(a.scale[0]) / twice_larger),
          fixed_point(static_cast<double>(b.scale[0]) / twice_larger),
          fixed_point(twice_larger / std::ldexp(static_cast<double>(y.scale[0]), TfliteAddition::left_shift))};
}

XnnpackAddition xnnpack_addition(const Grid& a, const Grid& b, const Grid& y) {
  const float ratio_a = a.scale[0] / y.scale[0], ratio_b = b.scale[0] / y.scale[0];
  const int shift = 20 - std::ilogb(std::max(ratio_a, ratio_b));
  const auto multiplier = [&](float value) { return static_cast<std::int32_t>(std::lrint(std::ldexp(value, shift))); };
  return {multiplier(ratio_a), multiplier(ratio_b), shift};
}

FixedPoint average_multiplier(const Grid& x, const Grid& y, Index pixels) {
  const FixedPoint whole = fixed_point(ratio(x, y));
  const int bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(pixels))) - 1;
  const int shift = std::min({bits, 32, 31 + whole.shift});
  const std::int64_t value = (std::int64_t{whole.value} << shift) / pixels;
  return {static_cast<std::int32_t>(value), whole.shift - shift};
}

XnnpackAverage xnnpack_average(const Grid& x, const Grid& y, Index pixels) {
  const auto zero = [](const Grid& grid) { return std::int64_t{grid.zero_point[0]} - grid.lo + lowest_int8; };
  const float part = 1.0F / static_cast<float>(pixels);
  const float multiplier = x.scale[0] / y.scale[0] * part;
  const float shifted = static_cast<float>(zero(x) * pixels) * multiplier;
  return {multiplier, static_cast<float>(zero(y)) - shifted};
}

WindowMultiplier window_multiplier(const Grid& x, const Grid& y, Index pixels) {
  const float part = 1.0F / static_cast<float>(pixels);
  const float product = x.scale[0] * part;
  return {product / y.scale[0],
          fixed_point(static_cast<double>(x.scale[0]) * static_cast<double>(part) / static_cast<double>(y.scale[0]))};
}

std::vector<Index> window_pixels(const Pool2DGeometry& g) {
  const auto extents = [](Index out, Index stride, Index pad, Index window, Index in) {
    std::set<Index> result;
    for (Index o = 0; o < out; ++o)
      result.insert(std::min(o * stride - pad + window, in) - std::max<Index>(o * stride - pad, 0));
    return result;
  };
  std::set<Index> result;
  for (const Index h : extents(g.out_h, g.stride_h, g.pad_top, g.k_h, g.in_h))
    for (const Index w : extents(g.out_w, g.stride_w, g.pad_left, g.k_w, g.in_w)) result.insert(h * w);
  return {result.begin(), result.end()};
}

}  // namespace bitgrad::inference
