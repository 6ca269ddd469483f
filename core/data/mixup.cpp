#include <bitgrad/core/data/mixup.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/portable_math.hpp>

namespace bitgrad::data {
namespace {

/// Logarithm of a number from (0, 1].
double log_uniform(Random& random) { return portable_log(1 - random.uniform<double>()); }

/// Logarithm of a gamma variate. Below 1 it is that of shape + 1 times a uniform number to the power of 1 / shape.
double log_gamma_variate(double shape, Random& random) {
  if (shape < 1) {
    const double whole = log_gamma_variate(shape + 1, random);
    return whole + log_uniform(random) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = random.normal<double>(), root = 1 + c * x;
    if (!(root > 0)) continue;
    const double v = root * root * root, log_v = portable_log(v);
    if (log_uniform(random) < x * x / 2 + d - d * v + d * log_v) return portable_log(d) + log_v;
  }
}

}  // namespace

double symmetric_beta(double alpha, Random& random) {
  if (!(alpha > 0 && alpha <= 1000))
    fail<ValueError>("symmetric_beta: alpha is ", alpha, ", expected more than 0 and at most 1000");
  const double one = log_gamma_variate(alpha, random), other = log_gamma_variate(alpha, random);
  return 1 / (1 + portable_exp(std::clamp(other - one, -700.0, 700.0)));  // one / (one + other)
}

}  // namespace bitgrad::data
