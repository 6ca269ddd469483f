// Mixing training images with each other: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: Beyond Empirical Risk Minimization"
// (ICLR 2018).
#pragma once

#include <bitgrad/core/random.hpp>

namespace bitgrad::data {

/// A number from Beta(alpha, alpha), in [0, 1], as the ratio of two gamma variates: Marsaglia and Tsang, "A simple
/// method for generating gamma variables", ACM TOMS 26 (2000), in logarithms, so that small alphas lose nothing. The
/// same bits on every system. Throws ValueError unless 0 < alpha <= 1000.
double symmetric_beta(double alpha, Random& random);

}  // namespace bitgrad::data
