#include <bitgrad/qat/inference/detail/naive_modes.hpp>

#include <algorithm>
#include <cmath>

namespace bitgrad::inference {
namespace {

/// floor(n / d) for d > 0.
std::int64_t floor_divide(std::int64_t n, std::int64_t d) { return n / d - (n % d < 0 ? 1 : 0); }

/// TFLite's multipliers, from their definition: m / 2^31 * 2^e.
class NaiveFixedPoint {
 public:
  explicit NaiveFixedPoint(double real) {
    for (; real >= 1; real /= 2) ++e_;
    for (; real < 0.5 && e_ >= -31; real *= 2) --e_;
    m_ = std::llround(real * 2147483648.0);
    if (m_ == 2147483648) {
      m_ = 1073741824;
      ++e_;
    }
    if (e_ < -31) m_ = e_ = 0;
  }

  /// As Mean takes the number of its elements into the multiplier.
  NaiveFixedPoint divided_by(std::int64_t n) const {
    NaiveFixedPoint result = *this;
    std::int64_t power = 1;
    for (; power * 2 <= n && result.e_ > -31; power *= 2) --result.e_;
    result.m_ = m_ * power / n;
    return result;
  }

  std::int64_t times(std::int64_t x, bool once) const {
    const std::int64_t left = e_ > 0 ? std::int64_t{1} << e_ : 1, right = e_ < 0 ? std::int64_t{1} << -e_ : 1;
    if (once) {
      const std::int64_t divisor = (std::int64_t{1} << 31) / left * right;
      return floor_divide(x * m_ + divisor / 2, divisor);
    }
    const std::int64_t high = floor_divide(x * left * m_ + (std::int64_t{1} << 30), std::int64_t{1} << 31);
    const std::int64_t away = high < 0 ? -right / 2 : right / 2;
    return (high + away) / right;
  }

 private:
  std::int64_t m_ = 0;
  int e_ = 0;
};

double scale_of(const Grid& grid) { return static_cast<double>(grid.scale[0]); }

/// Everywhere but in the dense layers of tflite_reference.
bool rounds_once(RequantizationMode mode) { return mode == RequantizationMode::single; }

}  // namespace

bool naive_fixed_point(RequantizationMode mode) {
  return mode == RequantizationMode::tflm_double || mode == RequantizationMode::single ||
         mode == RequantizationMode::tflite_reference;
}

std::int64_t naive_mode_result(RequantizationMode mode, const IntegerWeights& weights, const Grid& x, const Grid& y,
                               std::int64_t accumulator, std::size_t channel) {
  const bool one_scale = weights.grid.scale.size() == 1, dense = weights.codes.rank() == 2;
  const float s_x = x.scale[0], s_w = weights.grid.scale[one_scale ? 0 : channel];
  const float rounded_product = s_x * s_w;
  const double product =
      dense && one_scale ? static_cast<double>(rounded_product) : static_cast<double>(s_x) * static_cast<double>(s_w);
  const bool once = rounds_once(mode) || (dense && mode == RequantizationMode::tflite_reference);
  return NaiveFixedPoint(product / scale_of(y)).times(accumulator, once);
}

std::int64_t NaiveModeSum::operator()(std::int32_t a, std::int32_t b) const {
  const std::int64_t u = a - a_.zero_point[0], v = b - b_.zero_point[0];
  if (naive_fixed_point(mode_)) {
    const bool once = rounds_once(mode_);
    const double larger = std::max(scale_of(a_), scale_of(b_));
    const std::int64_t terms = NaiveFixedPoint(scale_of(a_) / (2 * larger)).times(u * 1048576, once) +
                               NaiveFixedPoint(scale_of(b_) / (2 * larger)).times(v * 1048576, once);
    return NaiveFixedPoint(2 * larger / (1048576 * scale_of(y_))).times(terms, once);
  }
  const float r_a = a_.scale[0] / y_.scale[0], r_b = b_.scale[0] / y_.scale[0];
  const double larger = static_cast<double>(std::max(r_a, r_b));
  double unit = 1;  // 21 bits for the larger ratio
  while (larger * unit < 0x1p20) unit *= 2;
  while (larger * unit >= 0x1p21) unit /= 2;
  const double exact = static_cast<double>(u) * std::nearbyint(static_cast<double>(r_a) * unit) +
                       static_cast<double>(v) * std::nearbyint(static_cast<double>(r_b) * unit);  // below 2^53
  return static_cast<std::int64_t>(std::floor(exact / unit + 0.5));
}

std::int64_t naive_mode_average(RequantizationMode mode, const Grid& x, const Grid& y, std::int64_t sum, Index pixels) {
  if (naive_fixed_point(mode))
    return NaiveFixedPoint(scale_of(x) / scale_of(y)).divided_by(pixels).times(sum, rounds_once(mode));
  const std::int64_t zero_x = x.zero_point[0] - x.lo - 128, zero_y = y.zero_point[0] - y.lo - 128;  // as int8
  const float part = 1.0F / static_cast<float>(pixels), ratio = x.scale[0] / y.scale[0];
  const float multiplier = ratio * part;
  const float offset = static_cast<float>(zero_x * pixels) * multiplier;
  const float bias = static_cast<float>(zero_y) - offset;
  const float product = static_cast<float>(sum + zero_x * pixels) * multiplier;
  return static_cast<std::int64_t>(std::nearbyint(product + bias)) - zero_y;
}

std::int64_t naive_mode_window(RequantizationMode mode, const Grid& x, const Grid& y, std::int64_t sum, Index pixels) {
  const float one = 1.0F / static_cast<float>(pixels);  // what the weights of a mean stand for
  if (naive_fixed_point(mode)) {
    const double product = scale_of(x) * static_cast<double>(one);
    return NaiveFixedPoint(product / scale_of(y)).times(sum, rounds_once(mode));
  }
  const float product = x.scale[0] * one, multiplier = product / y.scale[0];
  const double level = static_cast<double>(std::nearbyint(static_cast<float>(sum) * multiplier));
  return static_cast<std::int64_t>(std::max(-0x1p40, std::min(0x1p40, level)));
}

}  // namespace bitgrad::inference
