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

/// Sums of one window of a pooling over an image of centred codes.
template <class T>
Index sum_window(const Pool2DGeometry& g, const T* image, Index oh, Index ow, std::vector<std::int32_t>& sums) {
  const Index top = oh * g.stride_h - g.pad_top, left = ow * g.stride_w - g.pad_left;
  Index pixels = 0;
  std::ranges::fill(sums, 0);
  for (Index h = std::max<Index>(top, 0); h < std::min(top + g.k_h, g.in_h); ++h)
    for (Index w = std::max<Index>(left, 0); w < std::min(left + g.k_w, g.in_w); ++w, ++pixels)
      for (Index c = 0; c < g.channels; ++c)
        sums[static_cast<std::size_t>(c)] += static_cast<std::int32_t>(image[(h * g.in_w + w) * g.channels + c]);
  return pixels;
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
      const float level = std::nearbyint(product + average.bias);
      return static_cast<std::int64_t>(std::clamp(level, -0x1p30F, 0x1p30F)) - zero;
    });
  } else {
    const FixedPoint multiplier = average_multiplier(x, y, pixels);
    fill([&](std::int32_t sum) { return multiply(rounding_of(operands.mode), sum, multiplier); });
  }
  return codes;
}

template <class T>
Tensor run_in_mode(const IntegerAveragePool2D& op, const CodeOperands& operands) {
  const Grid &x = operands.grid(), &y = *operands.output.grid;
  const Pool2DGeometry g = pool2d_geometry(operands.x().shape(), op.window, op.stride, op.padding);
  const std::vector<Index> counts = window_pixels(g);  // rising
  std::vector<WindowMultiplier> multipliers(static_cast<std::size_t>(counts.empty() ? 1 : counts.back() + 1));
  for (const Index pixels : counts) multipliers[static_cast<std::size_t>(pixels)] = window_multiplier(x, y, pixels);
  const auto average = [&](std::int32_t sum, const WindowMultiplier& multiplier) -> std::int64_t {
    if (uses_fixed_point(operands.mode)) return multiply(rounding_of(operands.mode), sum, multiplier.fixed);
    const float level = std::nearbyint(static_cast<float>(sum) * multiplier.real);
    return static_cast<std::int64_t>(std::clamp(level, -0x1p30F, 0x1p30F));
  };
  Tensor codes(operands.shape(), dtype_of<T>);
  T* to = codes.data<T>();
  std::vector<std::int32_t> sums(static_cast<std::size_t>(g.channels));
  for (Index n = 0; n < g.batch; ++n)
    for (Index oh = 0; oh < g.out_h; ++oh)
      for (Index ow = 0; ow < g.out_w; ++ow) {
        const T* image = operands.x().data<T>() + n * g.in_h * g.in_w * g.channels;
        const Index pixels = sum_window(g, image, oh, ow, sums);
        const WindowMultiplier& multiplier = multipliers[static_cast<std::size_t>(pixels)];
        for (const std::int32_t sum : sums)
          *to++ = centred_code<T>(average(sum, multiplier), y, op.clamp_lo, op.clamp_hi);
      }
  return codes;
}

template void requantize_in_fixed_point(const IntegerWeights&, const Grid&, Rounding, const std::vector<FixedPoint>&,
                                        Index, const std::int32_t*, float*);
template void requantize_in_fixed_point(const IntegerWeights&, const Grid&, Rounding, const std::vector<FixedPoint>&,
                                        Index, const std::int32_t*, std::int32_t*);
template void requantize_in_fixed_point(const IntegerWeights&, const Grid&, Rounding, const std::vector<FixedPoint>&,
                                        Index, const std::int32_t*, std::int16_t*);
template Tensor run_in_mode<float>(const IntegerAdd&, const CodeOperands&);
template Tensor run_in_mode<std::int32_t>(const IntegerAdd&, const CodeOperands&);
template Tensor run_in_mode<float>(const IntegerGlobalAveragePool2D&, const CodeOperands&);
template Tensor run_in_mode<std::int32_t>(const IntegerGlobalAveragePool2D&, const CodeOperands&);
template Tensor run_in_mode<float>(const IntegerAveragePool2D&, const CodeOperands&);
template Tensor run_in_mode<std::int32_t>(const IntegerAveragePool2D&, const CodeOperands&);

}  // namespace bitgrad::inference
