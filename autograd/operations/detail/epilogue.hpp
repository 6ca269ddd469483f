// The steps of a pending value and, where given, a grid behind them, as one operation. Internal.
#pragma once

#include <string_view>

#include <bitgrad/autograd/operations/fake_quantize.hpp>

namespace bitgrad::detail {

/// x float32; the grid, which may be null, has one element. fake_quantize(x.definition(), grid), with gradients.
Variable epilogue(std::string_view name, const Pending& x, const LearnedGrid* grid);

/// Throws as batch_norm() does for parameters that do not fit x.
void check_normalization(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon);

}  // namespace bitgrad::detail
