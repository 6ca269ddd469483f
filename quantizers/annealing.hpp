// Values that move from one to another during training: strengths of a regularizer, temperatures, how much is
// quantized.
#pragma once

namespace bitgrad {

/// Linear annealing: `initial` until t_start, `target` from t_end on, the straight line between them. A pure function
/// of the time, so that a resumed training needs no state of it.
class LinearAnnealing {
 public:
  /// Times in any unit, usually steps. Throws ValueError unless 0 <= t_start < t_end and all four are finite.
  LinearAnnealing(double t_start, double t_end, double initial, double target);

  /// initial + clip((t - t_start) / (t_end - t_start), 0, 1) * (target - initial). As in the reference system the
  /// quotient is rounded to float32 and the rest is float32. Throws ValueError for NaN.
  float operator()(double t) const;

 private:
  double t_start_, t_end_, initial_, target_;
};

}  // namespace bitgrad
