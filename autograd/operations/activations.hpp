// Activation functions and other elementwise functions. All keep the shape and dtype of x, float32 or float64
// (ShapeError otherwise); NaN in gives NaN out.
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
/// (exp(x) - exp(-x)) / (exp(x) + exp(-x))
Variable tanh(const Variable& x);
/// x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): Hendrycks and Gimpel, "Gaussian error linear units", 2016, in the
/// form of section 2 (PyTorch's approximate="tanh").
Variable gelu(const Variable& x);
/// min(max(x + 3, 0), 6) / 6; the gradient at -3 and 3 is 0. Howard et al., "Searching for MobileNetV3", ICCV 2019.
Variable hard_sigmoid(const Variable& x);
/// x hard_sigmoid(x); the gradient is 0 at -3 and 1 at 3. From the same paper.
Variable hard_swish(const Variable& x);
/// x where x > 0, slope * x elsewhere; the gradient at 0 is the slope. Maas, Hannun, Ng, "Rectifier nonlinearities
/// improve neural network acoustic models", ICML 2013. Throws ValueError unless the slope is finite.
Variable leaky_relu(const Variable& x, double slope = 0.01);
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
/// The larger of two operands, with broadcasting; where they are equal each gets half of the gradient. Throws as add().
Variable maximum(const Variable& a, const Variable& b);
inline Variable maximum(const Variable& a, double b) { return maximum(a, Tensor::scalar(b, a.dtype())); }

/// x^exponent, NaN where that is not real; the gradient of x^0 is 0. kernels::power() says how it is computed, the same
/// bits on every system. Throws ValueError unless the exponent is finite.
Variable pow(const Variable& x, double exponent);
/// a where the condition is not 0, b elsewhere; all three broadcast. What is not chosen has no influence on value and
/// gradient, even where it is NaN. The condition (any dtype) has no gradient. Throws ShapeError for shapes that do not
/// broadcast and for operands of two dtypes.
Variable where(const Tensor& condition, const Variable& a, const Variable& b);

/// Every element is 0 with probability `rate` and x / (1 - rate) otherwise: inverted dropout, the identity in
/// expectation. Srivastava et al., "Dropout", JMLR 2014. Element i is decided by the i-th uniform number of
/// Random(seed, stream), so that results do not depend on threads. Throws ValueError unless 0 <= rate < 1.
Variable dropout(const Variable& x, double rate, std::uint64_t seed, std::uint64_t stream = 0);

}  // namespace bitgrad
