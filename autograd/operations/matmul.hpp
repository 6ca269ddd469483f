// Matrix products.
#pragma once

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// a [m, k] times b [k, n] → [m, n], both of one floating dtype. Throws ShapeError naming both shapes or dtypes.
Variable matmul(const Variable& a, const Variable& b);

/// x [batch, in] times kernel [in, out], plus bias [out] unless it is undefined → [batch, out]. Throws ShapeError
/// naming the shapes, or two dtypes that differ.
Variable dense(const Variable& x, const Variable& kernel, const Variable& bias = {});

}  // namespace bitgrad
