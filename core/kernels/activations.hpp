// Activation functions on n contiguous elements, for float and double, in the thread pool: the same bits under every
// instruction set. NaN stays NaN. y may be x. Gradients add to dx or overwrite it, as their Store says.
#pragma once

#include <bitgrad/core/kernels/store.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// y = tanh x, less than 4 ulp from it. Gradient from the result y: dy (1 - y^2).
template <class T>
void hyperbolic_tangent(Index n, const T* x, T* y);
template <class T>
void hyperbolic_tangent_gradient(Index n, const T* y, const T* dy, Store store, T* dx);

/// y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), 0 and x at the infinities.
template <class T>
void gelu(Index n, const T* x, T* y);
template <class T>
void gelu_gradient(Index n, const T* x, const T* dy, Store store, T* dx);

/// y = min(max(x + 3, 0), 6) / 6. Gradient: dy / 6 where -3 < x < 3.
template <class T>
void hard_sigmoid(Index n, const T* x, T* y);
template <class T>
void hard_sigmoid_gradient(Index n, const T* x, const T* dy, Store store, T* dx);

/// y = x min(max(x + 3, 0), 6) / 6. Gradient: 0 up to -3, dy from 3 on.
template <class T>
void hard_swish(Index n, const T* x, T* y);
template <class T>
void hard_swish_gradient(Index n, const T* x, const T* dy, Store store, T* dx);

/// y = x where x > 0, slope * x elsewhere; the gradient likewise.
template <class T>
void leaky_relu(Index n, T slope, const T* x, T* y);
template <class T>
void leaky_relu_gradient(Index n, T slope, const T* x, const T* dy, Store store, T* dx);

/// y = x^exponent. By products and square roots, rounded once each, where twice the exponent is a whole number up to
/// 128 (x^2 is x * x, x^0 is 1); elsewhere e^(exponent ln x) in double, with a relative error of a few units in the
/// last place of T and, in double, of |exponent ln x| of them: 0, 1 or infinity at the ends, NaN below 0. Gradient: dy
/// (exponent x^(exponent - 1)), 0 for the exponent 0.
template <class T>
void power(Index n, double exponent, const T* x, T* y);
template <class T>
void power_gradient(Index n, double exponent, const T* x, const T* dy, Store store, T* dx);

}  // namespace bitgrad::kernels
