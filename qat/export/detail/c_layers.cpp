// Convolutions and dense layers in C.
#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>
#include <bitgrad/qat/export/detail/c_text.hpp>

namespace bitgrad::c {

namespace {

constexpr std::string_view layer_type = R"(
typedef struct {
  int32_t in_h, in_w, in_c, out_h, out_w, out_c, k_h, k_w, stride_h, stride_w, pad_top, pad_left;
  int32_t dilation_h, dilation_w, group_in, group_out; /* channels of one group */
  const uint8_t *codes;       /* [out_c][k_h][k_w][group_in], packed, counted from the lowest code */
  const uint8_t *weight_zero; /* the code of 0.0, one for all or per channel */
  int32_t weight_zero_step;
  const int32_t *bias;
  const uint32_t *multiplier; /* KIND_OF_MULTIPLIER, one for all or per channel */
SHIFT  int32_t multiplier_step;
  int32_t zero_in, zero_out, lo, hi;
} @_layer;
)";

}  // namespace

std::string layer(bool fixed_point) {
  const std::string_view kind = fixed_point ? "times 2^31; bits of float32 where the results are" : "bits of float32";
  const std::string_view shift = fixed_point ? "  const int8_t *shift; /* the multiplier's power of two */\n" : "";
  return replace_all(replace_all(layer_type, "KIND_OF_MULTIPLIER", kind), "SHIFT", shift);
}

const std::string_view kernel_weights = R"(
/* The weights of one output channel, unpacked, minus the code of 0.0 */
static int16_t @_kernel[@_KERNEL_SIZE];
)";

const std::string_view window_sum = R"(
/* One sum of products; padding is real zero and adds nothing. A row of the kernel and what it meets in the image lie in one
   piece each, of which from..to is inside of the image. */
static inline int32_t @_window_sum(const @_layer *l, const uint8_t *x, int32_t o, int32_t top, int32_t left) {
  const int32_t zero_in = l->zero_in, from = left < 0 ? -left * l->in_c : 0;
  const int32_t to = (left + l->k_w > l->in_w ? l->in_w - left : l->k_w) * l->in_c;
  int32_t sum = l->bias[o], h, i;
  for (h = 0; h < l->k_h; ++h) {
    const int32_t row = h * l->k_w * l->in_c, pixels = ((top + h) * l->in_w + left) * l->in_c;
    if (top + h < 0 || top + h >= l->in_h) continue;
    for (i = from; i < to; ++i) sum += (x[pixels + i] - zero_in) * @_kernel[row + i];
  }
  return sum;
}
)";

const std::string_view group_sum = R"(
/* One sum of products where the kernel has gaps or sees one group of the channels alone: pixel by pixel */
static inline int32_t @_group_sum(const @_layer *l, const uint8_t *x, int32_t o, int32_t top, int32_t left) {
  const int32_t zero_in = l->zero_in, first = o / l->group_out * l->group_in;
  int32_t sum = l->bias[o], h, w, i;
  for (h = 0; h < l->k_h; ++h)
    for (w = 0; w < l->k_w; ++w) {
      const int32_t row = top + h * l->dilation_h, column = left + w * l->dilation_w;
      const int32_t pixel = (row * l->in_w + column) * l->in_c + first, weight = (h * l->k_w + w) * l->group_in;
      if (row < 0 || row >= l->in_h || column < 0 || column >= l->in_w) continue;
      for (i = 0; i < l->group_in; ++i) sum += (x[pixel + i] - zero_in) * @_kernel[weight + i];
    }
  return sum;
}
)";

namespace {

constexpr std::string_view unpacking_function = R"(
/* Weight number i of # bits, minus the code of 0.0 */
static inline int32_t @_weight#(const uint8_t *codes, int32_t i, int32_t zero) { return ($) - zero; }
)";

constexpr std::string_view convolution_function = R"(
static inline void @_FUNCTION#(const @_layer *l, const uint8_t *x, RESULT_TYPE *y) {
  const int32_t n = l->k_h * l->k_w * l->group_in;
  int32_t o, i, h, w;
  for (o = 0; o < l->out_c; ++o) {
    const int32_t zero = l->weight_zero[o * l->weight_zero_step];
    const uint32_t multiplier = l->multiplier[o * l->multiplier_step];
    for (i = 0; i < n; ++i) @_kernel[i] = (int16_t)@_weight#(l->codes, o * n + i, zero);
    for (h = 0; h < l->out_h; ++h)
      for (w = 0; w < l->out_w; ++w) {
        const int32_t sum = @_KIND_sum(l, x, o, h * l->stride_h - l->pad_top, w * l->stride_w - l->pad_left);
        y[(h * l->out_w + w) * l->out_c + o] = RESULT;
      }
  }
}
)";

constexpr std::string_view dense_sum_function = R"(
static inline int32_t @_dense_sum#(const @_layer *l, const uint8_t *x, int32_t o) {
  const int32_t zero_in = l->zero_in, zero = l->weight_zero[o * l->weight_zero_step];
  int32_t sum = l->bias[o], i;
  for (i = 0; i < l->in_c; ++i) sum += (x[i] - zero_in) * @_weight#(l->codes, o * l->in_c + i, zero);
  return sum;
}
)";

constexpr std::string_view dense_function = R"(
static inline void @_FUNCTION#(const @_layer *l, const uint8_t *x, RESULT_TYPE *y) {
  int32_t o;
  for (o = 0; o < l->out_c; ++o) {
    const int32_t sum = @_dense_sum#(l, x, o);
    const uint32_t multiplier = l->multiplier[o * l->multiplier_step];
    y[o] = RESULT;
  }
}
)";

/// What a layer makes of a sum.
struct Result {
  std::string_view type, expression;
};
constexpr Result code{"uint8_t", "@_requantize(sum, multiplier, l->zero_out, l->lo, l->hi)"};
constexpr Result rounded_twice{"uint8_t",
                               "@_clamp(@_multiply_twice(sum, (int32_t)multiplier, l->shift[o * l->multiplier_step]) + "
                               "l->zero_out, l->lo, l->hi)"};
constexpr Result rounded_once{
    "uint8_t",
    "@_clamp(@_multiply_once(sum, (int32_t)multiplier, l->shift[o * l->multiplier_step]) + l->zero_out, l->lo, l->hi)"};
constexpr Result float_bits{"uint32_t", "@_float_bits(sum, multiplier)"};

const Result& result_of(Results results) {
  switch (results) {
    case Results::codes: return code;
    case Results::rounded_twice: return rounded_twice;
    case Results::rounded_once: return rounded_once;
    default: return float_bits;
  }
}

/// C that reads code i of packed ones; those that do not divide a byte are read with the byte behind it.
std::string unpacking(int bits) {
  const int mask = (1 << bits) - 1;
  if (bits == 8) return "codes[i]";
  if (8 % bits == 0) return message("codes[i * ", bits, " >> 3] >> (i * ", bits, " & 7) & ", mask);
  return message("(codes[i * ", bits, " >> 3] | codes[(i * ", bits, " >> 3) + 1] << 8) >> (i * ", bits, " & 7) & ",
                 mask);
}

/// # becomes the number of bits, $ their unpacking.
std::string specialised(std::string_view text, int bits) {
  std::string result;
  for (const char c : text)
    if (c == '#')
      result += std::to_string(bits);
    else if (c == '$')
      result += unpacking(bits);
    else
      result += c;
  return result;
}

std::string layer_function(std::string_view text, std::string_view name, const Result& result, int bits) {
  const std::string named = replace_all(replace_all(text, "FUNCTION", name), "RESULT_TYPE", result.type);
  return specialised(replace_all(named, "RESULT", result.expression), bits);
}

}  // namespace

std::string weight_of(int bits) { return specialised(unpacking_function, bits); }
std::string dense_sum(int bits) { return specialised(dense_sum_function, bits); }

std::string convolve(int bits, std::string_view sum, Results results) {
  const std::string name = message("convolve_", sum, results == Results::floats ? "_to_floats" : "");
  return layer_function(replace_all(convolution_function, "KIND", sum), name, result_of(results), bits);
}
std::string dense(int bits, Results results) {
  return layer_function(dense_function, results == Results::floats ? "logits" : "dense", result_of(results), bits);
}

}  // namespace bitgrad::c
