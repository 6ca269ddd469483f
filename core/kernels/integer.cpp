#include <bitgrad/core/kernels/integer.hpp>

#include <type_traits>
#include <variant>

#include <bitgrad/core/kernels/code_table.hpp>
#include <bitgrad/core/kernels/conv_pass.hpp>
#include <bitgrad/core/kernels/depthwise_pass.hpp>
#include <bitgrad/core/kernels/im2col.hpp>
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

/// The rule as the passes take it. Without multipliers there is none.
direct::OutputCodes output_codes(const CentredCodes& codes) {
  if (codes.multiplier != nullptr) check_codes<std::int16_t>("codes of a convolution", codes.lo, codes.hi);
  return {codes.multiplier, codes.lo, codes.hi};
}

/// Whether products of bytes serve: they meet in fours, as which one or two elements are not better than as a pair.
bool multiplies_bytes(const direct::Pass<std::int16_t>& pass, const Conv2DGeometry& g, const CodeRange& x) {
  const auto fits_int8 = [](std::int16_t w) { return w >= -128 && w <= 127; };
  return table().has_quads && direct::run_elements(pass, pass.widths.front()) > 2 && x.lo <= 0 && x.hi >= 0 &&
         x.hi - x.lo <= 255 && std::all_of(pass.kernel, pass.kernel + kernel_shape(g).size(), fits_int8);
}

void require_codes(bool to_codes) {
  if (!to_codes) fail<StateError>("Int16Conv2D and Int16Dense: made without a rule for codes, asked for codes");
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
  direct::PackedPass<std::int32_t>(direct::forward_pass(direct::flattened(g), kernel, bias)).run(g.batch, x, acc);
}

void dense_codes_int32(Index rows, Index in, Index out, const std::int32_t* x, const std::int32_t* weights,
                       const std::int32_t* bias, std::int32_t* acc) {
  const Index grain = std::max<Index>(direct::chunk_work / std::max<Index>(in * out, 1), 4);
  parallel_for(rows, grain, [&](Index begin, Index end) {
    start_rows(end - begin, out, bias, acc + begin * out);
    table().matmul_int32(end - begin, out, in, x + begin * in, weights, acc + begin * out);
  });
}

struct Int16Conv2D::Packed {
  std::variant<direct::PackedPass<std::int16_t>, direct::DepthwisePass, direct::PackedPass<std::int16_t, std::uint8_t>>
      pass;
  bool to_codes;
  Index pixels = 0;  ///< of an image of which every pixel is a row of a matrix product; 0: windows

  template <class Y>
  void run(Index batch, const std::int16_t* x, Y* y) const {
    if (pixels > 0) return std::get<0>(pass).run_pixels(batch * pixels, x, y);
    std::visit([&](const auto& each) { each.run(batch, x, y); }, pass);
  }
};

Int16Conv2D::Int16Conv2D(const Conv2DGeometry& geometry, const std::int16_t* kernel, const std::int32_t* bias,
                         const CodeRange& x)
    : Int16Conv2D(geometry, kernel, bias, CentredCodes{nullptr}, x) {}

Int16Conv2D::Int16Conv2D(const Conv2DGeometry& geometry, const std::int16_t* kernel, const std::int32_t* bias,
                         const CentredCodes& codes, const CodeRange& x) {
  const Conv2DGeometry g = direct::flattened(geometry);
  auto pass = direct::forward_pass(g, kernel, bias);
  pass.codes = output_codes(codes);
  const bool to_codes = codes.multiplier != nullptr;
  const bool rows = is_pointwise(g) && g.groups == 1 && g.in_c % 2 == 0;
  if (pass.depthwise) {
    packed_ = std::make_shared<const Packed>(Packed{direct::DepthwisePass(pass), to_codes});
  } else if (multiplies_bytes(pass, g, x)) {
    pass.lowest = x.lo;
    packed_ = std::make_shared<const Packed>(Packed{direct::PackedPass<std::int16_t, std::uint8_t>(pass), to_codes});
  } else {
    packed_ = std::make_shared<const Packed>(
        Packed{direct::PackedPass<std::int16_t>(pass), to_codes, rows ? g.in_h * g.in_w : 0});
  }
}

void Int16Conv2D::run(Index batch, const std::int16_t* x, std::int32_t* acc) const { packed_->run(batch, x, acc); }

void Int16Conv2D::run(Index batch, const std::int16_t* x, std::int16_t* codes) const {
  require_codes(packed_->to_codes);
  packed_->run(batch, x, codes);
}

struct Int16Dense::Packed {
  Index in;
  std::variant<direct::PackedPass<std::int16_t>, direct::PackedPass<std::int16_t, std::uint8_t>> pass;
  bool to_codes;

  /// Rows as they are where they serve.
  template <class Frame, class Y>
  void run(const direct::PackedPass<std::int16_t, Frame>& packed, Index rows, const std::int16_t* x, Y* y) const {
    if constexpr (std::is_same_v<Frame, std::int16_t>)
      if (packed.beyond() == 0) return packed.run_pixels(rows, x, y);
    const Scratch<Frame> copy(rows * in + packed.beyond());
    packed.held().copy(x, rows * in, copy.data());
    packed.run_pixels(rows, copy.data(), y);
  }
};

Int16Dense::Int16Dense(Index in, Index out, const std::int16_t* weights, const std::int32_t* bias, const CodeRange& x)
    : Int16Dense(in, out, weights, bias, CentredCodes{nullptr}, x) {}

Int16Dense::Int16Dense(Index in, Index out, const std::int16_t* weights, const std::int32_t* bias,
                       const CentredCodes& codes, const CodeRange& x) {
  const Conv2DGeometry g = conv2d_geometry({1, 1, 1, in}, {1, 1, in, out}, {1, 1}, Padding::valid());
  auto pass = direct::forward_pass(g, weights, bias);
  pass.codes = output_codes(codes);
  const bool to_codes = codes.multiplier != nullptr;
  if (multiplies_bytes(pass, g, x)) {
    pass.lowest = x.lo;
    packed_ =
        std::make_shared<const Packed>(Packed{in, direct::PackedPass<std::int16_t, std::uint8_t>(pass), to_codes});
  } else {
    packed_ = std::make_shared<const Packed>(Packed{in, direct::PackedPass<std::int16_t>(pass), to_codes});
  }
}

void Int16Dense::run(Index rows, const std::int16_t* x, std::int32_t* acc) const {
  std::visit([&](const auto& pass) { packed_->run(pass, rows, x, acc); }, packed_->pass);
}

void Int16Dense::run(Index rows, const std::int16_t* x, std::int16_t* codes) const {
  require_codes(packed_->to_codes);
  std::visit([&](const auto& pass) { packed_->run(pass, rows, x, codes); }, packed_->pass);
}

struct Int32Conv2D::Packed {
  direct::PackedPass<std::int32_t> pass;
};

Int32Conv2D::Int32Conv2D(const Conv2DGeometry& geometry, const std::int32_t* kernel, const std::int32_t* bias)
    : packed_(std::make_shared<const Packed>(
          Packed{direct::PackedPass<std::int32_t>(direct::forward_pass(direct::flattened(geometry), kernel, bias))})) {}

void Int32Conv2D::run(Index batch, const std::int32_t* x, std::int32_t* acc) const { packed_->pass.run(batch, x, acc); }

void add_codes(Index n, const std::int16_t* a, const std::int16_t* b, const CodeAddition& rule, std::int16_t* y) {
  parallel_for(n, elements_per_chunk,
               [&](Index begin, Index end) { table().add_codes(&rule, end - begin, a + begin, b + begin, y + begin); });
}

void max_pool2d_codes(const Pool2DGeometry& g, const std::int16_t* x, std::int16_t* y) {
  const Index row_work = g.out_w * g.k_h * g.k_w * g.channels;
  const Index grain = std::max<Index>(elements_per_chunk / std::max<Index>(row_work, 1), 1);
  parallel_for(g.batch * g.out_h, grain, [&](Index begin, Index end) {
    const Scratch<std::int16_t> columns(g.in_w * g.channels);
    table().max_pool_codes(&g, begin, end, x, y, columns.data());
  });
}

void sum_pixels(Index batch, Index pixels, Index channels, const std::int16_t* x, std::int32_t* sums) {
  std::fill_n(sums, batch * channels, 0);
  const Index grain = std::max<Index>(elements_per_chunk / std::max<Index>(pixels * channels, 1), 1);
  parallel_for(batch, grain, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n)
      table().sum_codes(pixels, channels, x + n * pixels * channels, sums + n * channels);
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
BITGRAD_INSTANTIATE(std::int16_t)

}  // namespace bitgrad::kernels
