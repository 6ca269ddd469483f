// Addition, subtraction, multiplication and division with NumPy's broadcasting.
#pragma once

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// Elementwise arithmetic on two operands of one floating dtype. Shapes broadcast as in NumPy: aligned at the last
/// axis, extents equal or 1; the gradient of a repeated operand is the sum over its repetitions, formed in double in a
/// fixed order. Throws ShapeError naming the operation and both shapes.
Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
/// a / b; IEEE arithmetic, so x / 0 is infinite or NaN.
Variable div(const Variable& a, const Variable& b);
/// -x
Variable negate(const Variable& x);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator-(const Variable& x) { return negate(x); }

/// A number as an operand: a constant scalar of the other operand's dtype.
inline Variable operator+(const Variable& a, double b) { return add(a, Tensor::scalar(b, a.dtype())); }
inline Variable operator-(const Variable& a, double b) { return sub(a, Tensor::scalar(b, a.dtype())); }
inline Variable operator*(const Variable& a, double b) { return mul(a, Tensor::scalar(b, a.dtype())); }
inline Variable operator/(const Variable& a, double b) { return div(a, Tensor::scalar(b, a.dtype())); }
inline Variable operator+(double a, const Variable& b) { return add(Tensor::scalar(a, b.dtype()), b); }
inline Variable operator-(double a, const Variable& b) { return sub(Tensor::scalar(a, b.dtype()), b); }
inline Variable operator*(double a, const Variable& b) { return mul(Tensor::scalar(a, b.dtype()), b); }
inline Variable operator/(double a, const Variable& b) { return div(Tensor::scalar(a, b.dtype()), b); }

}  // namespace bitgrad
