// Roundings and the operations without weights in C.
#include <bitgrad/qat/export/detail/c_runtime.hpp>

namespace bitgrad::c {

const std::string_view rounding = R"(
/* m / 2^s, half to even; 0 < s < 64 */
static inline uint64_t @_half_even(uint64_t m, int32_t s) {
  const uint64_t q = m >> s, rest = m & (((uint64_t)1 << s) - 1u), half = (uint64_t)1 << (s - 1);
  return q + (uint64_t)(rest > half || (rest == half && (q & 1u)));
}

/* m * 2^e with 24 bits, as float32 rounds it */
static inline uint64_t @_round24(uint64_t m, int32_t *e) {
  int32_t s = 0, step;
  if (!(m >> 24)) return m;
  for (step = 32; step; step >>= 1)
    if (m >> 23 >> s >> step) s += step;
  *e += s;
  return @_half_even(m, s);
}

/* fl32(fl32(m) * the positive float32 of these bits) = result * 2^e */
static inline uint64_t @_product(uint64_t m, uint32_t bits, int32_t *e) {
  *e = (int32_t)(bits >> 23) - 150;
  m = @_round24(m, e);
  return @_round24(m * ((bits & 0x7FFFFFu) | 0x800000u), e);
}

/* The integer nearest to +-m * 2^e, half to even; m is at most 2^24, large results end at 2^30 */
static inline int32_t @_nearest(int negative, uint64_t m, int32_t e) {
  uint64_t r = 0;
  if (e > 6) r = m ? (uint64_t)1 << 30 : 0;
  else if (e >= 0) r = m << e;
  else if (e > -26) r = @_half_even(m, -e);
  return negative ? -(int32_t)r : (int32_t)r;
}

static inline uint8_t @_clamp(int32_t code, int32_t lo, int32_t hi) {
  return (uint8_t)(code < lo ? lo : code > hi ? hi : code);
}

static inline uint64_t @_magnitude(int32_t value) {
  return value < 0 ? (uint64_t)(-(int64_t)value) : (uint64_t)value;
}

/* clamp(half_even(float(sum) * multiplier) + zero, lo, hi) */
static inline uint8_t @_requantize(int32_t sum, uint32_t multiplier, int32_t zero, int32_t lo, int32_t hi) {
  int32_t e;
  const uint64_t m = @_product(@_magnitude(sum), multiplier, &e);
  return @_clamp(@_nearest(sum < 0, m, e) + zero, lo, hi);
}

/* The bits of float32(float(sum) * multiplier) */
static inline uint32_t @_float_bits(int32_t sum, uint32_t multiplier) {
  int32_t e;
  uint64_t m = @_product(@_magnitude(sum), multiplier, &e);
  if (!m) return 0;
  for (; m < 0x800000u; m <<= 1) --e;
  for (; m > 0xFFFFFFu; m >>= 1) ++e;
  return (sum < 0 ? 0x80000000u : 0u) | (uint32_t)(e + 150) << 23 | ((uint32_t)m & 0x7FFFFFu);
}
)";

const std::string_view real_numbers = R"(
/* m * 2^e: a float32 */
typedef struct {
  int64_t m;
  int32_t e;
} @_real;

/* m / 2^n, with the lowest bit set when bits were lost: as good as exact for the roundings that follow */
static inline int64_t @_sticky(int64_t m, int32_t n) {
  const uint64_t a = m < 0 ? (uint64_t)-m : (uint64_t)m;
  uint64_t q = n < 63 ? a >> n : 0;
  if (n >= 63 ? a != 0 : (q << n) != a) q |= 1u;
  return m < 0 ? -(int64_t)q : (int64_t)q;
}

/* x = fl32(x + m * 2^e); |m| < 2^32 */
static inline void @_add(@_real *x, int64_t m, int32_t e) {
  int64_t sum = m;
  if (x->m && m) {
    const int32_t d = x->e - e;
    if (d > 38) {
      e = x->e - 38;
      sum = x->m * ((int64_t)1 << 38) + @_sticky(m, d - 38);
    } else if (d >= 0) {
      sum = x->m * ((int64_t)1 << d) + m;
    } else if (d >= -30) {
      e = x->e;
      sum = m * ((int64_t)1 << -d) + x->m;
    } else {
      e -= 30;
      sum = m * ((int64_t)1 << 30) + @_sticky(x->m, -d - 30);
    }
  } else if (x->m) {
    return;
  }
  x->m = (int64_t)@_round24(sum < 0 ? (uint64_t)-sum : (uint64_t)sum, &e);
  if (sum < 0) x->m = -x->m;
  x->e = e;
}

/* x = fl32(x / (d * 2^e)); 0 < d < 2^25 */
static inline void @_divide(@_real *x, uint32_t d, int32_t e) {
  uint64_t m = x->m < 0 ? (uint64_t)-x->m : (uint64_t)x->m, q;
  if (m == 0) return;
  for (; m < 0x800000u; m <<= 1) --x->e;
  m <<= 38;
  q = m / d;
  if (q * d != m) q |= 1u;
  e = x->e - 38 - e;
  q = @_round24(q, &e);
  x->m = x->m < 0 ? -(int64_t)q : (int64_t)q;
  x->e = e;
}

static inline int32_t @_mantissa(uint32_t bits) { return (int32_t)((bits & 0x7FFFFFu) | 0x800000u); }
static inline int32_t @_exponent(uint32_t bits) { return (int32_t)(bits >> 23 & 0xFFu) - 150; }

/* half_even(x) */
static inline int32_t @_level(const @_real *x) {
  return @_nearest(x->m < 0, x->m < 0 ? (uint64_t)-x->m : (uint64_t)x->m, x->e);
}
)";

const std::string_view addition = R"(
/* half_even(fma(a, r_a, fma(b, r_b, constant))) of codes a and b; constant = mantissa * 2^exponent */
static inline void @_addition(int32_t n, const uint8_t *a, uint32_t r_a, const uint8_t *b, uint32_t r_b, int32_t mantissa,
                              int32_t exponent, int32_t lo, int32_t hi, uint8_t *y) {
  int32_t i;
  for (i = 0; i < n; ++i) {
    @_real x;
    x.m = mantissa;
    x.e = exponent;
    @_add(&x, (int64_t)b[i] * @_mantissa(r_b), @_exponent(r_b));
    @_add(&x, (int64_t)a[i] * @_mantissa(r_a), @_exponent(r_a));
    y[i] = @_clamp(@_level(&x), lo, hi);
  }
}
)";

const std::string_view average_pool = R"(
typedef struct {
  int32_t in_h, in_w, channels, out_h, out_w, k_h, k_w, stride_h, stride_w, pad_top, pad_left;
  int32_t zero_in, zero_out, lo, hi;
  uint32_t scale_in, scale_out;
} @_average;

/* half_even(sum of the dequantized window, row by row, / count / scale + zero), every step a float32 */
static inline void @_average_pool(const @_average *p, const uint8_t *x, uint8_t *y) {
  int32_t oh, ow, c, h, w;
  for (oh = 0; oh < p->out_h; ++oh)
    for (ow = 0; ow < p->out_w; ++ow)
      for (c = 0; c < p->channels; ++c) {
        const int32_t top = oh * p->stride_h - p->pad_top, left = ow * p->stride_w - p->pad_left;
        uint32_t count = 0;
        @_real sum = {0, 0};
        for (h = top < 0 ? 0 : top; h < top + p->k_h && h < p->in_h; ++h)
          for (w = left < 0 ? 0 : left; w < left + p->k_w && w < p->in_w; ++w, ++count) {
            @_real value = {0, 0};
            const int64_t code = x[(h * p->in_w + w) * p->channels + c] - p->zero_in;
            @_add(&value, code * @_mantissa(p->scale_in), @_exponent(p->scale_in));
            @_add(&sum, value.m, value.e);
          }
        @_divide(&sum, count, 0);
        @_divide(&sum, (uint32_t)@_mantissa(p->scale_out), @_exponent(p->scale_out));
        @_add(&sum, p->zero_out, 0);
        *y++ = @_clamp(@_level(&sum), p->lo, p->hi);
      }
}
)";

const std::string_view global_sum = R"(
static inline int32_t @_global_sum(const uint8_t *x, int32_t pixels, int32_t channels, int32_t zero) {
  int32_t p, sum = 0;
  for (p = 0; p < pixels; ++p) sum += x[p * channels] - zero;
  return sum;
}
)";

const std::string_view global_average_pool = R"(
static inline void @_global_average_pool(const uint8_t *x, int32_t pixels, int32_t channels, int32_t zero_in,
                                         uint32_t multiplier, int32_t zero_out, int32_t lo, int32_t hi, uint8_t *y) {
  int32_t c;
  for (c = 0; c < channels; ++c)
    y[c] = @_requantize(@_global_sum(x + c, pixels, channels, zero_in), multiplier, zero_out, lo, hi);
}
)";

const std::string_view max_pool = R"(
typedef struct {
  int32_t in_h, in_w, channels, out_h, out_w, k_h, k_w, stride_h, stride_w, pad_top, pad_left;
} @_window;

static inline void @_max_pool(const @_window *p, const uint8_t *x, uint8_t *y) {
  int32_t oh, ow, c, h, w;
  for (oh = 0; oh < p->out_h; ++oh)
    for (ow = 0; ow < p->out_w; ++ow)
      for (c = 0; c < p->channels; ++c) {
        const int32_t top = oh * p->stride_h - p->pad_top, left = ow * p->stride_w - p->pad_left;
        uint8_t largest = 0;
        for (h = top < 0 ? 0 : top; h < top + p->k_h && h < p->in_h; ++h)
          for (w = left < 0 ? 0 : left; w < left + p->k_w && w < p->in_w; ++w) {
            const uint8_t code = x[(h * p->in_w + w) * p->channels + c];
            if (code > largest) largest = code;
          }
        *y++ = largest;
      }
}
)";

const std::string_view pad = R"(
static inline void @_pad(const uint8_t *x, int32_t in_h, int32_t in_w, int32_t channels, int32_t top, int32_t left,
                         int32_t out_h, int32_t out_w, uint8_t zero, uint8_t *y) {
  int32_t h, w, c;
  for (h = -top; h < out_h - top; ++h)
    for (w = -left; w < out_w - left; ++w)
      for (c = 0; c < channels; ++c)
        *y++ = h < 0 || h >= in_h || w < 0 || w >= in_w ? zero : x[(h * in_w + w) * channels + c];
}
)";

const std::string_view upsample = R"(
static inline void @_upsample(const uint8_t *x, int32_t in_h, int32_t in_w, int32_t channels, int32_t factor_h,
                              int32_t factor_w, uint8_t *y) {
  int32_t h, w, c;
  for (h = 0; h < in_h * factor_h; ++h)
    for (w = 0; w < in_w * factor_w; ++w)
      for (c = 0; c < channels; ++c) *y++ = x[(h / factor_h * in_w + w / factor_w) * channels + c];
}
)";

const std::string_view insert_zeros = R"(
static inline void @_insert_zeros(const uint8_t *x, int32_t channels, int32_t stride_h, int32_t stride_w, int32_t out_h,
                                  int32_t out_w, uint8_t zero, uint8_t *y) {
  int32_t h, w, c;
  for (h = 0; h < out_h; ++h)
    for (w = 0; w < out_w; ++w)
      for (c = 0; c < channels; ++c) *y++ = h % stride_h || w % stride_w ? zero : *x++;
}
)";

const std::string_view table = R"(
/* Tables of `entries` codes, one for all or one per channel */
static inline void @_look_up(int32_t n, int32_t channels, int32_t entries, const uint8_t *codes, const uint8_t *x, uint8_t *y) {
  int32_t i;
  for (i = 0; i < n; ++i) y[i] = codes[i % channels * entries + x[i]];
}
)";

const std::string_view concat = R"(
/* Writes `rows` parts of rows, each code through a table */
static inline void @_place(int32_t rows, int32_t part, int32_t width, const uint8_t *codes, const uint8_t *x, uint8_t *y) {
  int32_t r, i;
  for (r = 0; r < rows; ++r, y += width)
    for (i = 0; i < part; ++i) y[i] = codes[*x++];
}
)";

const std::string_view argmax_of_codes = R"(
/* The number of the largest result, the first one of equals */
static inline int32_t @_argmax(const @_result *results) {
  int32_t i, best = 0;
  for (i = 1; i < @_OUTPUT_SIZE; ++i)
    if (results[i] > results[best]) best = i;
  return best;
}
)";

const std::string_view argmax_of_floats = R"(
/* Unsigned numbers in the order of the floats whose bits are given */
static inline uint32_t @_ordered(uint32_t bits) { return bits & 0x80000000u ? ~bits : bits | 0x80000000u; }

/* The number of the largest result, the first one of equals */
static inline int32_t @_argmax(const @_result *results) {
  int32_t i, best = 0;
  for (i = 1; i < @_OUTPUT_SIZE; ++i)
    if (@_ordered(results[i]) > @_ordered(results[best])) best = i;
  return best;
}
)";

const std::string_view self_test = R"(
#ifndef @_NO_SELFTEST
#GOLDEN#
/* 0 when the golden inputs give the golden results, else 1 + the number of the first that does not */
static inline int32_t @_selftest(void) {
  static @_result results[@_OUTPUT_SIZE];
  int32_t n, i;
  for (n = 0; n < #COUNT#; ++n) {
    @_run(@_golden_input + n * @_INPUT_SIZE, results);
    for (i = 0; i < @_OUTPUT_SIZE; ++i)
      if (results[i] != @_golden_output[n * @_OUTPUT_SIZE + i]) return 1 + n;
  }
  return 0;
}
#endif
)";

}  // namespace bitgrad::c
