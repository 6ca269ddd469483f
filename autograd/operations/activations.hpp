// Activation functions and other elementwise functions. All keep the shape and dtype of x; NaN in gives NaN out.
#pragma once

#include <cstdint>

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// max(x, 0); the gradient at 0 is 0.
Variable relu(const Variable& x);
/// min(max(x, 0), 6); the gradient at 0 and 6 is 0.
Variable relu6(const Variable& x);
/// 1 / (1 + exp(-x))
Variable sigmoid(const Variable& x);
/// exp(x_i) / sum over the last axis of exp(x_j). Throws ShapeError for a scalar or an empty last axis.
Variable softmax(const Variable& x);
/// log(softmax(x)), without its cancellation.
Variable log_softmax(const Variable& x);

/// x limited to [lo, hi]; the gradient passes inside the range, bounds included. Throws ValueError unless lo <= hi.
Variable clip(const Variable& x, double lo, double hi);
/// |x|; the gradient at 0 is 0.
Variable abs(const Variable& x);
Variable exp(const Variable& x);
/// Natural logarithm.
Variable log(const Variable& x);
Variable sqrt(const Variable& x);
/// The larger of two operands, with broadcasting; where they are equal each gets half of the gradient.
Variable maximum(const Variable& a, const Variable& b);
inline Variable maximum(const Variable& a, double b) { return maximum(a, Tensor::scalar(b, a.dtype())); }

/// Every element is 0 with probability `rate` and x / (1 - rate) otherwise: inverted dropout, the identity in
/// expectation. Srivastava et al., "Dropout", JMLR 2014. Element i is decided by the i-th uniform number of
/// Random(seed, stream), so that results do not depend on threads. Throws ValueError unless 0 <= rate < 1.
Variable dropout(const Variable& x, double rate, std::uint64_t seed, std::uint64_t stream = 0);

}  // namespace bitgrad
