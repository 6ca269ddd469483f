// The rules of requantization modes other than ort, as the engines compute them; codes are carried as in rules.hpp.
#pragma once

#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/detail/rules.hpp>

namespace bitgrad::inference {

/// Accumulators [rows, out], bias included, to codes, in modes that use fixed point.
template <class T>
void requantize_in_fixed_point(const IntegerWeights& weights, const Grid& grid, Rounding rounding,
                               const std::vector<FixedPoint>& multipliers, Index rows, const std::int32_t* accumulators,
                               T* codes);

/// Modes other than ort.
template <class T>
Tensor run_in_mode(const IntegerAdd& op, const CodeOperands& operands);
template <class T>
Tensor run_in_mode(const IntegerGlobalAveragePool2D& op, const CodeOperands& operands);
template <class T>
Tensor run_in_mode(const IntegerAveragePool2D& op, const CodeOperands& operands);

}  // namespace bitgrad::inference
