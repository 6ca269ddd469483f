// Checks of a function from floats to quantized floats, be it frozen or in training.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <bitgrad/quantizers/detail/conformance/probe.hpp>
#include <bitgrad/quantizers/detail/conformance/recorder.hpp>

namespace bitgrad::conformance {

/// A quantizer in one state.
struct Quantization {
  std::function<Tensor(const Tensor&)> values;  ///< quantizes a float32 tensor
  Ruler ruler;
  int rank = 3;
  int bits = 8;
  std::string state;  ///< for messages: "variables 1.07 times their start: "; may be empty
  std::uint64_t seed = 1;
};

/// The output itself; ShapeError unless it has the shape and dtype of the input.
Tensor require_like(Tensor y, const Tensor& x);

/// channel_axis, side_effects, monotonicity, idempotence, zero, levels, special_values.
void check_outputs(const Quantization& quantization, Recorder& recorder);

/// threads: of the values and of whatever else `more` computes from the probe (gradients, codes).
void check_threads(const Quantization& quantization, std::span<const int> threads,
                   const std::function<std::vector<Tensor>(const Tensor&)>& outputs, Recorder& recorder);

/// A deliberate slip in the rule code = clamp(half_even(x / scale) + zero_point), to tell which one an implementation
/// made.
enum class Slip { none, half_away, zero_point_first, reciprocal };
/// The code of x by the rule, written down here once more, independent of the kernels.
double code_by_rule(float x, const Grid& grid, std::size_t channel, Slip slip = Slip::none);
/// (code - zero point) * scale in float32.
double value_of_code(double code, const Grid& grid, std::size_t channel);

/// What was computed from a probe, as doubles, against what the rule says. A difference is recorded as `rounding` or
/// `division` when one slip explains every output, else as `otherwise`.
enum class Compared { codes, values };
void compare_with_rule(const Probe& probe, const std::vector<double>& found, Compared what, const Grid& grid,
                       Property otherwise, const std::string& state, Recorder& recorder);

/// Values against the rule, apart from the last bits and from inputs within rounding error of a tie, which may fall
/// either way. A difference is recorded as `property`.
void compare_closely(const Probe& probe, const Tensor& values, const Grid& grid, Property property,
                     const std::string& state, Recorder& recorder);

}  // namespace bitgrad::conformance
