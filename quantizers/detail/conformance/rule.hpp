// The rule of a grid, and comparisons with it that tell how an implementation went wrong.
#pragma once

#include <string>
#include <vector>

#include <bitgrad/quantizers/detail/conformance/probe.hpp>
#include <bitgrad/quantizers/detail/conformance/recorder.hpp>

namespace bitgrad::conformance {

/// With all digits that tell a float32 from its neighbours.
std::string exact(double value);
/// The elements as float64.
std::vector<double> to_doubles(const Tensor& tensor);

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
