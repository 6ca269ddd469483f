// Dense layers whose rows do not depend on each other.
#pragma once

#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// y[row, :] = x[row, :] * weights for `rows` rows of `in` elements and weights (in, out), y overwritten. A row gives
/// the same bytes whatever the other rows and their number, which a BLAS product does not promise: the sum runs over
/// the inputs in order, one multiplication and one addition each.
void dense_forward(Index rows, Index in, Index out, const float* x, const float* weights, float* y);

}  // namespace bitgrad::kernels
