#include <bitgrad/quantizers/annealing.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

LinearAnnealing::LinearAnnealing(double t_start, double t_end, double initial, double target)
    : t_start_(t_start), t_end_(t_end), initial_(initial), target_(target) {
  if (!(t_start >= 0 && t_start < t_end) || !std::isfinite(t_end))
    fail<ValueError>("LinearAnnealing: t_start is ", t_start, " and t_end ", t_end,
                     ", expected finite numbers with 0 <= t_start < t_end");
  if (!std::isfinite(initial) || !std::isfinite(target))
    fail<ValueError>("LinearAnnealing: from ", initial, " to ", target, ", expected finite numbers");
}

float LinearAnnealing::operator()(double t) const {
  if (std::isnan(t)) fail<ValueError>("LinearAnnealing: the time is NaN, expected a number");
  const float factor = std::clamp(static_cast<float>((t - t_start_) / (t_end_ - t_start_)), 0.0F, 1.0F);
  return static_cast<float>(initial_) + factor * static_cast<float>(target_ - initial_);
}

}  // namespace bitgrad
