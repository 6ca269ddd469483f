// Learning-rate schedules: pure functions of the step, so that a resumed training needs no state of them.
#pragma once

#include <functional>
#include <vector>

#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// A learning rate for every step 0, 1, 2, ...
class Schedule {
 public:
  /// Any function of the step; what it gives is not looked at. Throws ValueError for an empty one.
  explicit Schedule(std::function<double(Index step)> rate);

  /// Throws ValueError for a negative step.
  double at(Index step) const;

  /// Linear warm-up in front: step i < steps gets at(0) * (i + 1) / steps, later ones at(i - steps). Goyal et al.,
  /// "Accurate, large minibatch SGD", 2017, section 2.2. Throws ValueError for a negative number of steps.
  Schedule with_warmup(Index steps) const;
  /// This schedule for `steps` steps, then `next` from its step 0 on. Throws ValueError for a negative number of steps.
  Schedule then(Index steps, const Schedule& next) const;

 private:
  std::function<double(Index)> rate_;
};

/// Always `rate`. All of these throw ValueError for rates that are negative or not finite.
Schedule constant_schedule(double rate);

/// `rate`, multiplied by `factor` at each milestone (a step). Throws ValueError unless the milestones increase and
/// factor > 0.
Schedule step_schedule(double rate, const std::vector<Index>& milestones, double factor = 0.1);

/// Half a cosine from `rate` at step 0 to `final_rate` at step `steps` and after: Loshchilov and Hutter, "SGDR", ICLR
/// 2017, equation 5. Throws ValueError unless steps > 0.
Schedule cosine_schedule(double rate, Index steps, double final_rate = 0.0);

/// `rate` times factor^step. Throws ValueError unless 0 < factor <= 1.
Schedule exponential_schedule(double rate, double factor);

/// Half a cosine up from rate / 25 to `rate` over the first 30 % of `steps`, and another down to rate / 250,000 at
/// `steps` and after: Smith and Topin, "Super-convergence", 2018, with PyTorch's shape and defaults (OneCycleLR with
/// cosine annealing). The momentum stays what it is. Throws ValueError unless steps > 0.
Schedule one_cycle_schedule(double rate, Index steps);

}  // namespace bitgrad
