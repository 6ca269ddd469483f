// Straight-through estimators: forward functions without a useful derivative, with a declared gradient instead.
// Bengio, Leonard and Courville, "Estimating or propagating gradients through stochastic neurons", 2013.
//
// Rounding is half to even. Forward values are those of the reference's three-step arithmetic, rounded to the dtype
// after each step, e.g. (round(x) - x) + x; they keep the dtype and shape of x. NaN stays NaN and infinities stay
// infinite or saturate, where the reference returns NaN.
#pragma once

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// round(x), never -0; gradient 1.
Variable ste_round(const Variable& x);
/// (floor(x) - x) + x and (ceil(x) - x) + x; gradient 1.
Variable ste_floor(const Variable& x);
Variable ste_ceil(const Variable& x);

/// (clip(x) - x) + x; gradient 1 everywhere, also outside of [lo, hi]. From |x| = 2^23 on (2^52 for float64), where
/// that arithmetic would swallow the bound, clip(x) itself. Throws ValueError unless lo <= hi.
Variable ste_clip(const Variable& x, double lo, double hi);

/// (x - x * f) + x * f, which is x up to an ulp; gradient f. Esser et al., "Learned step size quantization", ICLR 2020,
/// appendix A. Throws ValueError unless f is finite.
Variable grad_scale(const Variable& x, double f);

/// round(x); gradient 0.
Variable round(const Variable& x);

}  // namespace bitgrad
