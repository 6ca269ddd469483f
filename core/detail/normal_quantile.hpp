// The inverse of the standard normal distribution function.
#pragma once

namespace bitgrad::detail {

/// x with Phi(x) = p, relative error about 1e-16, 0 < p < 1: Wichura, "Algorithm AS 241" (PPND16), Applied Statistics
/// 37 (1988). `p_upper` is 1 - p, given apart so that no digits are lost. Besides + - * / and sqrt nothing is used that
/// a platform might round differently.
double normal_quantile(double p, double p_upper);

}  // namespace bitgrad::detail
