// Roundings of the requantization modes other than ort in C.
#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>
#include <bitgrad/qat/export/detail/c_text.hpp>

namespace bitgrad::c {

const std::string_view floor_shift = R"(
/* floor(v / 2^s) */
static inline int64_t @_floor_shift(int64_t v, int32_t s) { return v < 0 ? ~(~v >> s) : v >> s; }
)";

const std::string_view fixed_point_twice = R"(
/* x * m / 2^31 * 2^shift, rounded twice: after the division with halves up, then by the shift with halves away from zero */
static inline int32_t @_multiply_twice(int32_t x, int32_t m, int32_t shift) {
  const int64_t product = (shift > 0 ? (int64_t)x * ((int64_t)1 << shift) : x) * m;
  const int64_t high = @_floor_shift(product + ((int64_t)1 << 30), 31);
  int64_t magnitude = high < 0 ? -high : high;
  if (shift < 0) magnitude = (magnitude + ((int64_t)1 << (-shift - 1))) >> -shift;
  return (int32_t)(high < 0 ? -magnitude : magnitude);
}
)";

const std::string_view fixed_point_once = R"(
/* x * m / 2^31 * 2^shift, halves up */
static inline int32_t @_multiply_once(int32_t x, int32_t m, int32_t shift) {
  return (int32_t)@_floor_shift((int64_t)x * m + ((int64_t)1 << (30 - shift)), 31 - shift);
}
)";

const std::string_view addition_xnnpack = R"(
/* floor((a * m_a + b * m_b) / 2^shift + 1/2) of codes a and b less their zeros */
static inline void @_addition(int32_t n, const uint8_t *a, int32_t zero_a, const uint8_t *b, int32_t zero_b, int32_t m_a,
                              int32_t m_b, int32_t shift, int32_t zero, int32_t lo, int32_t hi, uint8_t *y) {
  int32_t i;
  for (i = 0; i < n; ++i) {
    const int64_t sum = (int64_t)(a[i] - zero_a) * m_a + (int64_t)(b[i] - zero_b) * m_b;
    y[i] = @_clamp((int32_t)@_floor_shift(sum + ((int64_t)1 << (shift - 1)), shift) + zero, lo, hi);
  }
}
)";

namespace {

constexpr std::string_view tflite_addition = R"(
/* The sum of codes a and b less their zeros, 20 bits finer and in one unit, times its own multiplier */
static inline void @_addition(int32_t n, const uint8_t *a, int32_t zero_a, const uint8_t *b, int32_t zero_b, int32_t m_a,
                              int32_t shift_a, int32_t m_b, int32_t shift_b, int32_t m, int32_t shift, int32_t zero,
                              int32_t lo, int32_t hi, uint8_t *y) {
  int32_t i;
  for (i = 0; i < n; ++i) {
    const int32_t part_a = MULTIPLY((a[i] - zero_a) * 1048576, m_a, shift_a);
    const int32_t part_b = MULTIPLY((b[i] - zero_b) * 1048576, m_b, shift_b);
    y[i] = @_clamp(MULTIPLY(part_a + part_b, m, shift) + zero, lo, hi);
  }
}
)";

}  // namespace

std::string addition_tflite(std::string_view multiply) { return replace_all(tflite_addition, "MULTIPLY", multiply); }

const std::string_view global_average_pool_xnnpack = R"(
/* half_even(sum * multiplier + mantissa * 2^exponent) of codes as int8, every step a float32 */
static inline void @_global_average_pool(const uint8_t *x, int32_t pixels, int32_t channels, int32_t lowest,
                                         uint32_t multiplier, int32_t mantissa, int32_t exponent, int32_t zero, int32_t lo,
                                         int32_t hi, uint8_t *y) {
  int32_t c;
  (void)zero;
  for (c = 0; c < channels; ++c) {
    const int32_t sum = @_global_sum(x + c, pixels, channels, -lowest);
    @_real value;
    value.m = (int64_t)@_product(@_magnitude(sum), multiplier, &value.e);
    if (sum < 0) value.m = -value.m;
    @_add(&value, mantissa, exponent);
    y[c] = @_clamp(@_level(&value) - lowest, lo, hi);
  }
}
)";

namespace {

constexpr std::string_view window_average = R"(
typedef struct {
  int32_t in_h, in_w, channels, out_h, out_w, k_h, k_w, stride_h, stride_w, pad_top, pad_left;
  int32_t zero_in, zero_out, lo, hi;
} @_average;

/* The sum of a window's codes less their zero, times the multiplier of its number of pixels */
static inline void @_average_pool(const @_average *p, const uint32_t *multipliers,SHIFTS const uint8_t *x, uint8_t *y) {
  int32_t oh, ow, c, h, w;
  for (oh = 0; oh < p->out_h; ++oh)
    for (ow = 0; ow < p->out_w; ++ow)
      for (c = 0; c < p->channels; ++c) {
        const int32_t top = oh * p->stride_h - p->pad_top, left = ow * p->stride_w - p->pad_left;
        int32_t count = 0, sum = 0;
        for (h = top < 0 ? 0 : top; h < top + p->k_h && h < p->in_h; ++h)
          for (w = left < 0 ? 0 : left; w < left + p->k_w && w < p->in_w; ++w, ++count)
            sum += x[(h * p->in_w + w) * p->channels + c] - p->zero_in;
        *y++ = RESULT;
      }
}
)";

constexpr std::string_view fixed_point_average = R"(
static inline void @_global_average_pool(const uint8_t *x, int32_t pixels, int32_t channels, int32_t zero_in, int32_t m,
                                         int32_t shift, int32_t zero_out, int32_t lo, int32_t hi, uint8_t *y) {
  int32_t c;
  for (c = 0; c < channels; ++c)
    y[c] = @_clamp(MULTIPLY(@_global_sum(x + c, pixels, channels, zero_in), m, shift) + zero_out, lo, hi);
}
)";

}  // namespace

std::string average_pool_by_count(std::string_view multiply) {
  if (multiply.empty())
    return replace_all(replace_all(window_average, "SHIFTS", ""), "RESULT",
                       "@_requantize(sum, multipliers[count - 1], p->zero_out, p->lo, p->hi)");
  const std::string result = message(
      "@_clamp(", multiply, "(sum, (int32_t)multipliers[count - 1], shifts[count - 1]) + p->zero_out, p->lo, p->hi)");
  return replace_all(replace_all(window_average, "SHIFTS", " const int8_t *shifts,"), "RESULT", result);
}

std::string global_average_pool_fixed_point(std::string_view multiply) {
  return replace_all(fixed_point_average, "MULTIPLY", multiply);
}

}  // namespace bitgrad::c
