// Exponential moving average of weights.
#pragma once

#include <vector>

#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad {

/// Keeps a second set of weights beside the trained ones: after each step a <- a + (1 - d) (p - a). It averages out the
/// noise of single steps: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992. After t
/// steps d is min(decay, (1 + t) / (10 + t)), as in TensorFlow's ExponentialMovingAverage with num_updates, so that
/// the starting values are soon forgotten.
class WeightAverage {
 public:
  /// Starts at the parameters' values. Throws ValueError unless 0 <= decay < 1.
  WeightAverage(std::vector<NamedParameter> parameters, double decay);

  /// After an optimizer step.
  void update();
  /// Gives the parameters the averaged values.
  void apply() const;
  /// The averages under the parameters' names; copies.
  NamedTensors values() const;

  /// For checkpoints: "steps", int32, and the averages under the parameters' names with "/average" behind; copies.
  NamedTensors state() const;
  /// Puts back a state() of the same parameters. Throws ValueError for a name that is missing or not expected,
  /// ShapeError for another shape or dtype; then nothing has changed.
  void load_state(const NamedTensors& state);

 private:
  std::vector<NamedParameter> parameters_;
  double decay_;
  Index steps_ = 0;
  std::vector<Tensor> averages_;  // in order of parameters_
};

}  // namespace bitgrad
