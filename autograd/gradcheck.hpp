// Are the gradients right? Compares them with central differences, in double precision. For the tests of bitgrad and
// for everyone who writes an operation or a quantizer.
//
// Straight-through gradients are checked against the surrogate they declare: the base pass records what every rounding
// added and which branch every clip took, the perturbed passes replay both (autograd/replay.hpp). The gradients are
// accumulated into buffers that already hold other numbers, so that an operation that overwrites instead of adding is
// caught.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include <bitgrad/autograd/parameter.hpp>
#include <bitgrad/autograd/variable.hpp>

namespace bitgrad {

struct GradientCheckOptions {
  /// Perturbation of an element x: step * max(1, |x|).
  double step = 1e-5;
  /// Passes when |analytic - numeric| <= tolerance * max(|analytic|, |numeric|, floor) for every checked element.
  double tolerance = 1e-6;
  double floor = 1e-2;
  /// Elements checked per input, chosen at random; 0 means all.
  Index max_elements = 0;
  /// Of the random projection of the output, the numbers in the buffers and the choice of elements.
  std::uint64_t seed = 1;
};

/// What a gradient check found; the worst element is the one that exceeds its bound most.
struct GradientReport {
  bool passed = true;
  Index checked = 0;  ///< elements compared
  double max_absolute_error = 0;
  double max_relative_error = 0;  ///< relative to max(|analytic|, |numeric|, floor)
  std::string worst_input;        ///< "input 0", or the name of the parameter
  Index worst_element = 0;        ///< in row-major order
  double analytic = 0, numeric = 0;
};
/// One line for a person.
std::ostream& operator<<(std::ostream& out, const GradientReport& report);

/// A function of its inputs and of parameters (through variable_of), with one output of any shape. It is called once
/// per pass and must compute the same every time: a dropout takes a fixed seed.
using DifferentiableFunction = std::function<Variable(const std::vector<Variable>& inputs)>;

/// Checks the gradient of every input and parameter, through a random projection of the output. Inputs are converted to
/// float64; parameters must be float64 (ShapeError otherwise: call convert() on all of a model) and come back with
/// unchanged values and zeroed gradients. Throws StateError when a tape is in scope or the function computes something
/// else in a second call, ShapeError when its output changes shape, ValueError for a parameter that is not trainable
/// and when an output or a gradient is not finite.
GradientReport check_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                               const std::vector<ParameterPtr>& parameters = {},
                               const GradientCheckOptions& options = {});

/// The same, throwing ValueError with the report when the check fails.
void require_gradients(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                       const std::vector<ParameterPtr>& parameters = {}, const GradientCheckOptions& options = {});

}  // namespace bitgrad
