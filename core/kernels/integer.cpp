#include <bitgrad/core/kernels/integer.hpp>

#include <type_traits>

#include <bitgrad/core/kernels/code_table.hpp>
#include <bitgrad/core/kernels/conv_pass.hpp>
#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {
namespace {

/// Every row set to the bias, or to zero.
void start_rows(Index rows, Index channels, const std::int32_t* bias, std::int32_t* acc) {
  if (bias == nullptr) {
    std::fill_n(acc, rows * channels, 0);
    return;
  }
  for (Index row = 0; row < rows; ++row) std::copy_n(bias, channels, acc + row * channels);
}

}  // namespace

template <class Code>
void subtract_zero_point(Index n, const Code* q, std::int32_t zero_point, std::int32_t* y) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    code_table<Code>().subtract_zero_point(end - begin, q + begin, zero_point, y + begin);
  });
}

void conv2d_codes_int32(const Conv2DGeometry& g, const std::int32_t* x, const std::int32_t* kernel,
                        const std::int32_t* bias, std::int32_t* acc) {
  direct::run(direct::forward_pass(direct::flattened(g), kernel, bias), x, acc);
}

void dense_codes_int32(Index rows, Index in, Index out, const std::int32_t* x, const std::int32_t* weights,
                       const std::int32_t* bias, std::int32_t* acc) {
  const Index grain = std::max<Index>(direct::chunk_work / std::max<Index>(in * out, 1), 4);
  parallel_for(rows, grain, [&](Index begin, Index end) {
    start_rows(end - begin, out, bias, acc + begin * out);
    table().matmul_int32(end - begin, out, in, x + begin * in, weights, acc + begin * out);
  });
}

template <class Accumulator, class Code>
void requantize(Index rows, Index channels, const Accumulator* acc, const Requantization& rule, Code* q) {
  check_codes<Code>("requantize", rule.lo, rule.hi);
  check_zero_point("requantize", rule.zero_point);
  const WideRow<float> multiplier(channels, rule.multiplier);
  const Index width = wide_row(channels);
  const float lo = static_cast<float>(rule.lo - rule.zero_point), hi = static_cast<float>(rule.hi - rule.zero_point);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    const float* m = multiplier.data() + column;
    if constexpr (std::is_same_v<Accumulator, float>)
      code_table<Code>().requantize_float(count, width, acc + begin, m, lo, hi, rule.zero_point, q + begin);
    else
      code_table<Code>().requantize_int32(count, width, acc + begin, m, lo, hi, rule.zero_point, q + begin);
  });
}

#define BITGRAD_INSTANTIATE(Code)                                                                                \
  template void subtract_zero_point<Code>(Index, const Code*, std::int32_t, std::int32_t*);                      \
  template void requantize<std::int32_t, Code>(Index, Index, const std::int32_t*, const Requantization&, Code*); \
  template void requantize<float, Code>(Index, Index, const float*, const Requantization&, Code*);
BITGRAD_INSTANTIATE(std::int32_t)
BITGRAD_INSTANTIATE(std::uint8_t)
BITGRAD_INSTANTIATE(std::int8_t)

}  // namespace bitgrad::kernels
