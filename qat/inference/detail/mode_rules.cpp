#include <bitgrad/qat/inference/detail/mode_rules.hpp>

#include <algorithm>
#include <cmath>

namespace bitgrad::inference {
namespace {

/// clamp(result + z, lo, hi) - z
template <class T>
T centred_code(std::int64_t result, const Grid& grid, std::int32_t lo, std::int32_t hi) {
  const std::int32_t zero = grid.zero_point[0];
  return static_cast<T>(std::clamp<std::int64_t>(result, lo - zero, hi - zero));
}

/// Fills the sums of two centred operands by f(a, b).
template <class T, class F>
Tensor add_codes(const IntegerAdd& op, const CodeOperands& operands, F&& f) {
  Tensor result(operands.shape(), dtype_of<T>);
  const T *a = operands.inputs[0].data<T>(), *b = operands.inputs[1].data<T>();
  T* y = result.data<T>();
  for (Index i = 0; i < result.size(); ++i)
    y[i] = centred_code<T>(f(static_cast<std::int32_t>(a[i]), static_cast<std::int32_t>(b[i])), *operands.output.grid,
                           op.clamp_lo, op.clamp_hi);
  return result;
}

}  // namespace

template <class T>
void requantize_in_fixed_point(const IntegerWeights& weights, const Grid& grid, Rounding rounding,
                               const std::vector<FixedPoint>& multipliers, Index rows, const std::int32_t* accumulators,
                               T* codes) {
  const Index out = static_cast<Index>(multipliers.size());
  for (Index row = 0; row < rows; ++row)
    for (Index c = 0; c < out; ++c) {
      const std::int32_t result =
          multiply(rounding, accumulators[row * out + c], multipliers[static_cast<std::size_t>(c)]);
      codes[row * out + c] = centred_code<T>(result, grid, weights.clamp_lo, weights.clamp_hi);
    }
}

template <class T>
Tensor run_in_mode(const IntegerAdd& op, const CodeOperands& operands) {
  const Grid &a = *operands.grids[0], &b = *operands.grids[1], &y = *operands.output.grid;
  const Rounding rounding = rounding_of(operands.mode);
  if (operands.mode == RequantizationMode::xnnpack) {
    const XnnpackAddition sum = xnnpack_addition(a, b, y);
    const std::int64_t half = std::int64_t{1} << (sum.shift - 1);
    return add_codes<T>(op, operands, [&](std::int32_t u, std::int32_t v) {
      return (std::int64_t{u} * sum.a + std::int64_t{v} * sum.b + half) >> sum.shift;
    });
  }
  const TfliteAddition sum = tflite_addition(a, b, y);
  constexpr std::int32_t scale = 1 << TfliteAddition::left_shift;
  return add_codes<T>(op, operands, [&](std::int32_t u, std::int32_t v) {
    return multiply(rounding, multiply(rounding, u * scale, sum.a) + multiply(rounding, v * scale, sum.b), sum.sum);
  });
}

template <class T>
Tensor run_in_mode(const IntegerGlobalAveragePool2D& op, const CodeOperands& operands) {
  const Grid &x = operands.grid(), &y = *operands.output.grid;
  const Tensor sums = global_sums<T>(operands);
  const Index pixels = operands.x().dim(1) * operands.x().dim(2);
  Tensor codes(operands.shape(), dtype_of<T>);
  const auto fill = [&](auto&& f) {
    std::ranges::transform(sums.span<std::int32_t>(), codes.span<T>().begin(),
                           [&](std::int32_t sum) { return centred_code<T>(f(sum), y, op.clamp_lo, op.clamp_hi); });
  };
  if (operands.mode == RequantizationMode::xnnpack) {
    const XnnpackAverage average = xnnpack_average(x, y, pixels);
    const Index zero_sum = pixels * (x.zero_point[0] - x.lo + lowest_int8);  // of int8 codes that stand for 0.0
    const std::int32_t zero = y.zero_point[0] - y.lo + lowest_int8;
    fill([&](std::int32_t sum) {
      const float product = static_cast<float>(sum + zero_sum) * average.multiplier;
      return static_cast<std::int64_t>(std::nearbyint(product + average.bias)) - zero;
    });
  } else {
    const FixedPoint multiplier = average_multiplier(x, y, pixels);
    fill([&](std::int32_t sum) { return multiply(rounding_of(operands.mode), sum, multiplier); });
  }
  return codes;
}

template void requantize_in_fixed_point(const IntegerWeights&, const Grid&, Rounding, const std::vector<FixedPoint>&,
                                        Index, const std::int32_t*, float*);
template void requantize_in_fixed_point(const IntegerWeights&, const Grid&, Rounding, const std::vector<FixedPoint>&,
                                        Index, const std::int32_t*, std::int32_t*);
template Tensor run_in_mode<float>(const IntegerAdd&, const CodeOperands&);
template Tensor run_in_mode<std::int32_t>(const IntegerAdd&, const CodeOperands&);
template Tensor run_in_mode<float>(const IntegerGlobalAveragePool2D&, const CodeOperands&);
template Tensor run_in_mode<std::int32_t>(const IntegerGlobalAveragePool2D&, const CodeOperands&);

}  // namespace bitgrad::inference
