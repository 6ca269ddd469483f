// Matrix products.
#pragma once

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// a [m, k] times b [k, n] → [m, n]. Throws ShapeError naming both shapes.
Variable matmul(const Variable& a, const Variable& b);

/// x [batch, in] times kernel [in, out], plus bias [out] unless it is undefined → [batch, out].
Variable dense(const Variable& x, const Variable& kernel, const Variable& bias = {});

}  // namespace bitgrad
