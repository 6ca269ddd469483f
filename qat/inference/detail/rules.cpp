#include <bitgrad/qat/inference/detail/rules.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>
#include <bitgrad/core/kernels/integer.hpp>
#include <bitgrad/core/kernels/pool.hpp>
#include <bitgrad/qat/inference/detail/mode_rules.hpp>
#include <bitgrad/qat/inference/detail/moving.hpp>

namespace bitgrad::inference {

namespace {

/// Calls f(int32 codes to fill) and hands them over in the carrier's type.
template <class T, class F>
void fill_codes(Index n, T* codes, F&& f) {
  if constexpr (std::is_same_v<T, std::int32_t>) {
    f(codes);
  } else {
    const kernels::Scratch<std::int32_t> integers(n);
    f(integers.data());
    std::copy_n(integers.data(), n, codes);
  }
}

/// clamp(half_even(values / scale) + z, lo, hi) - z
template <class T>
void quantize_centred(Index n, const float* values, float scale, std::int32_t zero, std::int32_t lo, std::int32_t hi,
                      T* codes) {
  const std::int32_t none = 0;
  const kernels::CodeGrid grid{&scale, &none, lo - zero, hi - zero};
  fill_codes(n, codes,
             [&](std::int32_t* q) { kernels::quantize_to_codes(kernels::per_tensor(n), values, grid, "quantize", q); });
}

/// clamp(half_even(float(accumulators) * multiplier) + z, lo, hi) - z
template <class T>
void requantize_centred(Index rows, Index channels, const std::int32_t* accumulators, const float* multiplier,
                        std::int32_t zero, std::int32_t lo, std::int32_t hi, T* codes) {
  const kernels::Requantization rule{multiplier, 0, lo - zero, hi - zero};
  fill_codes(rows * channels, codes,
             [&](std::int32_t* q) { kernels::requantize(rows, channels, accumulators, rule, q); });
}

/// clamp(half_even(levels) + lo) - z, where levels count from lo of the grid: what runtimes with unsigned codes
/// compute.
template <class T>
void quantize_levels(Index n, const float* levels, const Grid& grid, std::int32_t clamp_lo, std::int32_t clamp_hi,
                     T* codes) {
  quantize_centred(n, levels, 1.0F, 0, clamp_lo - grid.lo, clamp_hi - grid.lo, codes);
  for (Index i = 0; i < n; ++i) codes[i] -= static_cast<T>(grid.zero_point[0] - grid.lo);
}

}  // namespace

template <class T>
void requantize(const IntegerWeights& weights, const Grid& grid, Index rows, const std::int32_t* accumulators,
                T* codes) {
  requantize_centred(rows, static_cast<Index>(weights.multiplier.size()), accumulators, weights.multiplier.data(),
                     grid.zero_point[0], weights.clamp_lo, weights.clamp_hi, codes);
}

void rescale(const IntegerWeights& weights, Index rows, const std::int32_t* accumulators, float* values) {
  const Index out = static_cast<Index>(weights.multiplier.size());
  const float* multiplier = weights.multiplier.data();
  for (Index row = 0; row < rows; ++row)
    for (Index c = 0; c < out; ++c)
      values[row * out + c] = static_cast<float>(accumulators[row * out + c]) * multiplier[c];
}

void refuse_code(const GraphTensor& tensor, std::int32_t code, Index sample) {
  fail<ValueError>("run_integer: code ", code, " of sample ", sample, " is outside ", tensor.grid->lo, "..",
                   tensor.grid->hi, ", the codes of \"", tensor.name, "\"");
}

void refuse_nan(const GraphTensor& output, std::span<const float> x, Index first_sample) {
  const auto nan = std::ranges::find_if(x, [](float v) { return std::isnan(v); });
  if (nan == x.end()) return;
  const Index element = nan - x.begin(), sample = output.shape.size();
  fail<ValueError>("quantize \"", output.name, "\": element ", element % sample, " of sample ",
                   first_sample + element / sample, " is NaN, which has no code");
}

template <class T>
Tensor quantize_values(const GraphTensor& output, const Tensor& x, Index first_sample) {
  const auto values = x.span<float>();
  refuse_nan(output, values, first_sample);
  const Grid& grid = *output.grid;
  Tensor codes(x.shape(), dtype_of<T>);
  quantize_centred(x.size(), values.data(), grid.scale[0], grid.zero_point[0], grid.lo, grid.hi, codes.data<T>());
  return codes;
}

template <class T>
Tensor dequantize_codes(const Grid& grid, const Tensor& codes) {
  const float scale = grid.scale[0];
  Tensor values(codes.shape());
  std::ranges::transform(codes.span<T>(), values.span<float>().begin(),
                         [scale](T q) { return static_cast<float>(q) * scale; });
  return values;
}

kernels::CodeAddition code_addition(const IntegerAdd& op, const Grid& a, const Grid& b, const Grid& y) {
  const auto zero = [](const Grid& grid) { return grid.zero_point[0] - grid.lo; };  // of codes offset to lo
  kernels::CodeAddition rule{.zero_a = static_cast<float>(zero(a)),
                             .ratio_a = a.scale[0] / y.scale[0],
                             .zero_b = static_cast<float>(zero(b)),
                             .ratio_b = b.scale[0] / y.scale[0],
                             .lo = static_cast<float>(op.clamp_lo - y.lo),
                             .hi = static_cast<float>(op.clamp_hi - y.lo),
                             .zero_y = zero(y)};
  rule.constant = static_cast<float>(zero(y)) - std::fma(rule.ratio_a, rule.zero_a, rule.ratio_b * rule.zero_b);
  return rule;
}

template <class T>
Tensor run_code_operation(const IntegerAdd& op, const CodeOperands& operands) {
  if (operands.mode != RequantizationMode::ort) return run_in_mode<T>(op, operands);
  const Grid& y = *operands.output.grid;
  const kernels::CodeAddition rule = code_addition(op, *operands.grids[0], *operands.grids[1], y);
  Tensor result(operands.shape(), dtype_of<T>);
  const T *left = operands.inputs[0].data<T>(), *right = operands.inputs[1].data<T>();
  const kernels::Scratch<float> levels(result.size());
  for (Index i = 0; i < result.size(); ++i) {
    const float u_a = static_cast<float>(left[i]) + rule.zero_a, u_b = static_cast<float>(right[i]) + rule.zero_b;
    levels.data()[i] = std::fma(u_a, rule.ratio_a, std::fma(u_b, rule.ratio_b, rule.constant));
  }
  quantize_levels(result.size(), levels.data(), y, op.clamp_lo, op.clamp_hi, result.data<T>());
  return result;
}

template <class T>
Tensor run_code_operation(const IntegerConcat& op, const CodeOperands& operands) {
  const Grid& y = *operands.output.grid;
  std::vector<Tensor> converted;
  for (std::size_t n = 0; n < operands.inputs.size(); ++n) {
    const Tensor values = dequantize_codes<T>(*operands.grids[n], operands.inputs[n]);
    Tensor& codes = converted.emplace_back(values.shape(), dtype_of<T>);
    quantize_centred(values.size(), values.data<float>(), y.scale[0], y.zero_point[0], op.clamp_lo, op.clamp_hi,
                     codes.data<T>());
  }
  return concat<T>(converted, op.axis, operands.shape());
}

template <class T>
Tensor run_code_operation(const IntegerAveragePool2D& op, const CodeOperands& operands) {
  if (operands.mode != RequantizationMode::ort) return run_in_mode<T>(op, operands);
  const Grid& y = *operands.output.grid;
  const Tensor values = dequantize_codes<T>(operands.grid(), operands.x());
  Tensor averages(operands.shape()), codes(operands.shape(), dtype_of<T>);
  kernels::average_pool2d_forward(pool2d_geometry(values.shape(), op.window, op.stride, op.padding),
                                  values.data<float>(), averages.data<float>());
  const float zero = static_cast<float>(y.zero_point[0] - y.lo);
  for (float& value : averages.span<float>()) value = value / y.scale[0] + zero;
  quantize_levels(codes.size(), averages.data<float>(), y, op.clamp_lo, op.clamp_hi, codes.data<T>());
  return codes;
}

template <class T>
Tensor global_sums(const CodeOperands& operands) {
  const Tensor& x = operands.x();
  const Index pixels = x.dim(1) * x.dim(2), channels = x.dim(3);
  Tensor sums = Tensor::zeros(operands.shape(), DType::int32);
  for (Index n = 0; n < x.dim(0); ++n) {
    const T* image = x.data<T>() + n * pixels * channels;
    std::int32_t* sum = sums.data<std::int32_t>() + n * channels;
    for (Index p = 0; p < pixels; ++p)
      for (Index c = 0; c < channels; ++c) sum[c] += static_cast<std::int32_t>(image[p * channels + c]);
  }
  return sums;
}

float mean_multiplier(const Grid& x, const Grid& y, Index pixels) {
  return x.scale[0] / (y.scale[0] * static_cast<float>(pixels));
}

template <class T>
Tensor run_code_operation(const IntegerGlobalAveragePool2D& op, const CodeOperands& operands) {
  if (operands.mode != RequantizationMode::ort) return run_in_mode<T>(op, operands);
  const Grid& y = *operands.output.grid;
  const Tensor sums = global_sums<T>(operands);
  const float multiplier = mean_multiplier(operands.grid(), y, operands.x().dim(1) * operands.x().dim(2));
  Tensor codes(operands.shape(), dtype_of<T>);
  requantize_centred(codes.size(), 1, sums.data<std::int32_t>(), &multiplier, y.zero_point[0], op.clamp_lo, op.clamp_hi,
                     codes.data<T>());
  return codes;
}

template <class T>
Tensor run_code_operation(const IntegerTable& op, const CodeOperands& operands) {
  const Grid &grid = operands.grid(), &y = *operands.output.grid;
  const std::int32_t* table = op.codes.data<std::int32_t>();
  const Index entries = op.codes.dim(-1), channels = op.codes.rank() == 2 ? op.codes.dim(0) : 1;
  const std::int32_t first = grid.zero_point[0] - grid.lo;  // position of centred code 0
  Tensor codes(operands.shape(), dtype_of<T>);
  const T* from = operands.x().data<T>();
  T* to = codes.data<T>();
  for (Index i = 0; i < codes.size(); i += channels)
    for (Index c = 0; c < channels; ++c)
      to[i + c] = static_cast<T>(table[c * entries + static_cast<std::int32_t>(from[i + c]) + first] - y.zero_point[0]);
  return codes;
}

// Both carriers of every rule.
template void requantize(const IntegerWeights&, const Grid&, Index, const std::int32_t*, float*);
template void requantize(const IntegerWeights&, const Grid&, Index, const std::int32_t*, std::int32_t*);
template Tensor quantize_values<float>(const GraphTensor&, const Tensor&, Index);
template Tensor quantize_values<std::int32_t>(const GraphTensor&, const Tensor&, Index);
template Tensor dequantize_codes<float>(const Grid&, const Tensor&);
template Tensor dequantize_codes<std::int32_t>(const Grid&, const Tensor&);
template Tensor global_sums<float>(const CodeOperands&);
template Tensor global_sums<std::int32_t>(const CodeOperands&);
template Tensor run_code_operation<float>(const IntegerAdd&, const CodeOperands&);
template Tensor run_code_operation<std::int32_t>(const IntegerAdd&, const CodeOperands&);
template Tensor run_code_operation<float>(const IntegerConcat&, const CodeOperands&);
template Tensor run_code_operation<std::int32_t>(const IntegerConcat&, const CodeOperands&);
template Tensor run_code_operation<float>(const IntegerAveragePool2D&, const CodeOperands&);
template Tensor run_code_operation<std::int32_t>(const IntegerAveragePool2D&, const CodeOperands&);
template Tensor run_code_operation<float>(const IntegerGlobalAveragePool2D&, const CodeOperands&);
template Tensor run_code_operation<std::int32_t>(const IntegerGlobalAveragePool2D&, const CodeOperands&);
template Tensor run_code_operation<float>(const IntegerTable&, const CodeOperands&);
template Tensor run_code_operation<std::int32_t>(const IntegerTable&, const CodeOperands&);

}  // namespace bitgrad::inference
