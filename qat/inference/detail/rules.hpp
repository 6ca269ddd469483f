// The arithmetic of graph.hpp's rules as the engines compute it. A code is carried "centred", minus its zero point, so
// that real zero is 0, padding needs no care and only the bounds change: clamp(r + z, lo, hi) - z = clamp(r, lo - z, hi
// - z). T is what carries it: float in the float engine, std::int32_t in what the integer engine leaves to tensors. The
// naive executor shares nothing with this file.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <bitgrad/core/kernels/code_addition.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// Accumulators [rows, out], bias included, to codes.
template <class T>
void requantize(const IntegerWeights& weights, const Grid& grid, Index rows, const std::int32_t* accumulators,
                T* codes);
/// Accumulators to real values, for outputs without a grid.
void rescale(const IntegerWeights& weights, Index rows, const std::int32_t* accumulators, float* values);

/// ValueError: a code of that sample is outside of the tensor's grid.
[[noreturn]] void refuse_code(const GraphTensor& tensor, std::int32_t code, Index sample);

/// Codes of the outside, centred, and back. `sample` is the number of the first one's sample, for refuse_code().
template <class T>
void import_codes(const GraphTensor& tensor, const Tensor& codes, Index sample, T* to) {
  const Grid& grid = *tensor.grid;
  const std::int32_t* from = codes.data<std::int32_t>();
  for (Index i = 0; i < codes.size(); ++i) {
    if (from[i] < grid.lo || from[i] > grid.hi) refuse_code(tensor, from[i], sample + i / tensor.shape.size());
    to[i] = static_cast<T>(from[i] - grid.zero_point[0]);
  }
}
template <class T>
void export_codes(const Grid& grid, Index count, const T* from, std::int32_t* to) {
  for (Index i = 0; i < count; ++i) to[i] = static_cast<std::int32_t>(from[i]) + grid.zero_point[0];
}
/// ValueError for the first NaN of x [n, ...], whose codes are asked for, naming tensor, sample and element; x starts
/// at sample `first_sample` of the caller's batch.
void refuse_nan(const GraphTensor& output, std::span<const float> x, Index first_sample);
/// Codes of float32 values [n, ...] by true division. Refuses NaN.
template <class T>
Tensor quantize_values(const GraphTensor& output, const Tensor& x, Index first_sample);
template <class T>
Tensor dequantize_codes(const Grid& grid, const Tensor& codes);

/// What an operation between codes computes with: the grids of its inputs, and its output.
struct CodeOperands {
  std::vector<const Grid*> grids;
  std::span<const Tensor> inputs;
  const GraphTensor& output;
  RequantizationMode mode = RequantizationMode::ort;

  const Tensor& x() const { return inputs.front(); }
  const Grid& grid() const { return *grids.front(); }
  Shape shape() const { return output.shape.prepended(x().dim(0)); }
};

/// The numbers of the rule of IntegerAdd in mode ort.
kernels::CodeAddition code_addition(const IntegerAdd& op, const Grid& a, const Grid& b, const Grid& y);

/// Of IntegerGlobalAveragePool2D in mode ort: fl32(s_x / fl32(s_y * pixels)).
float mean_multiplier(const Grid& x, const Grid& y, Index pixels);

/// Sums over the pixels of centred codes, int32 [batch, channels].
template <class T>
Tensor global_sums(const CodeOperands& operands);

template <class T>
Tensor run_code_operation(const IntegerAdd& op, const CodeOperands& operands);
template <class T>
Tensor run_code_operation(const IntegerConcat& op, const CodeOperands& operands);
template <class T>
Tensor run_code_operation(const IntegerAveragePool2D& op, const CodeOperands& operands);
template <class T>
Tensor run_code_operation(const IntegerGlobalAveragePool2D& op, const CodeOperands& operands);
template <class T>
Tensor run_code_operation(const IntegerTable& op, const CodeOperands& operands);

}  // namespace bitgrad::inference
