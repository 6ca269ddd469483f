// The operation that trainable quantizers are made of: onto a grid of learned parameters and back to real numbers.
#pragma once

#include <bitgrad/autograd/operations/pending.hpp>

namespace bitgrad {

/// Where the gradient passes the clamp. It always passes the rounding (straight-through).
enum class ClampGradient {
  everywhere,       ///< the clamp is straight-through as well: the reference's STE
  level_in_bounds,  ///< where lo <= round(u) <= hi: the reference's LSQ
  value_in_bounds,  ///< where lo <= u <= hi: LSQ as published
};

/// A grid with learned parameters. Step, offset and zero point share one shape: one element, or a shape that broadcasts
/// against x and differs from 1 along one axis.
struct LearnedGrid {
  Variable step = {};
  Variable offset = {};  ///< real number; undefined: none
  /// Whole numbers; undefined: 0. Not together with an offset, and with value_in_bounds only.
  Variable zero_point = {};
  double lo = 0, hi = 0;  ///< lowest and highest level, whole numbers
  ClampGradient gradient = ClampGradient::value_in_bounds;
};

/// With u = (x - offset) / step, divided truly, and rounding half to even:
///   y = step * clamp(round(u), lo, hi) + offset                          without a zero point
///   y = (clamp(round(u) + zero_point, lo, hi) - zero_point) * step       with one
/// Infinities saturate, NaN stays NaN. Gradients, with g that of y, c = (y - offset) / step the level without its zero
/// point, m = 1 where the clamp passes and sums over the elements that share a parameter:
///   x: m g      step: sum of g (c - m u)      offset: sum of g (1 - m)      zero point: -step * sum of g (1 - m)
/// Esser et al., "Learned step size quantization", ICLR 2020, equations 1 to 3 (before the gradient scale). In float32
/// this is one pass forward and one backward; in float64 it is fake_quantize_definition(). Throws ShapeError naming
/// `name`.
Variable fake_quantize(std::string_view name, const Variable& x, const LearnedGrid& grid);
/// fake_quantize(name, x.value(), grid): where the grid is one for the whole tensor, in the same pass as the steps that
/// x is still waiting for.
Variable fake_quantize(std::string_view name, const Pending& x, const LearnedGrid& grid);

/// The same by ordinary Variable arithmetic: what the fused operation has to equal, and what gradient checks look at.
Variable fake_quantize_definition(const Variable& x, const LearnedGrid& grid);

}  // namespace bitgrad
