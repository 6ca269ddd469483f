#include <bitgrad/quantizers/detail/conformance/rule.hpp>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>

namespace bitgrad::conformance {
namespace {

/// Rounding error of a level computed in float32, in steps, and a bit more.
double tie_tolerance(const Grid& grid, std::size_t channel) {
  const double reach =
      std::max(std::abs(grid.lo - grid.zero_point[channel]), std::abs(grid.hi - grid.zero_point[channel])) + 4.0;
  return 1e-5 + 8 * reach * static_cast<double>(std::numeric_limits<float>::epsilon());
}

}  // namespace

std::string exact(double value) {
  std::ostringstream out;
  out << std::setprecision(9) << value;
  return out.str();
}

std::vector<double> to_doubles(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float64);
  return {values.data<double>(), values.data<double>() + values.size()};
}

double code_by_rule(float x, const Grid& grid, std::size_t channel, Slip slip) {
  const float scale = grid.scale[channel];
  const auto zero = static_cast<float>(grid.zero_point[channel]);
  const float u = slip == Slip::reciprocal ? x * (1.0F / scale) : x / scale;
  double code = 0;
  if (slip == Slip::half_away)
    code = static_cast<double>(std::round(u)) + static_cast<double>(zero);
  else if (slip == Slip::zero_point_first)
    code = static_cast<double>(std::nearbyint(u + zero));
  else
    code = static_cast<double>(std::nearbyint(u)) + static_cast<double>(zero);
  return std::clamp(code, static_cast<double>(grid.lo), static_cast<double>(grid.hi));
}

double value_of_code(double code, const Grid& grid, std::size_t channel) {
  return static_cast<double>(static_cast<float>(code - grid.zero_point[channel]) * grid.scale[channel]);
}

void compare_with_rule(const Probe& probe, const std::vector<double>& found, Compared what, const Grid& grid,
                       Property otherwise, const std::string& state, Recorder& recorder) {
  const auto expected = [&](Index i, Slip slip) {
    const std::size_t channel = probe.ruler.channels() > 1 ? probe.layout.channel_of(i) : 0;
    const double code = code_by_rule(probe.x.data<float>()[i], grid, channel, slip);
    return what == Compared::codes ? code : value_of_code(code, grid, channel);
  };
  const auto first_difference = [&](Slip slip) {
    Index i = 0;
    while (i < probe.x.size() && found[static_cast<std::size_t>(i)] == expected(i, slip)) ++i;
    return i;
  };
  const Index at = first_difference(Slip::none);
  if (at == probe.x.size()) return;
  Property property = otherwise;
  std::string reason;
  const auto explain = [&](Slip slip, Property as, const char* text) {
    if (!reason.empty() || first_difference(slip) != probe.x.size()) return;
    property = as;
    reason = text;
  };
  explain(Slip::half_away, Property::rounding, ": ties are rounded away from zero, expected to even");
  explain(Slip::zero_point_first, Property::rounding, ": the zero point is added before rounding, expected after it");
  explain(Slip::reciprocal, Property::division, ": x is multiplied by 1 / scale, expected x / scale");
  recorder.find(property, state + probe.name(at),
                message(what == Compared::codes ? "code " : "value ", exact(found[static_cast<std::size_t>(at)]),
                        ", expected ", exact(expected(at, Slip::none)), " on the grid ", grid, reason));
}

void compare_closely(const Probe& probe, const Tensor& values, const Grid& grid, Property property,
                     const std::string& state, Recorder& recorder) {
  for (Index i = 0; i < probe.x.size(); ++i) {
    const std::size_t channel = probe.ruler.channels() > 1 ? probe.layout.channel_of(i) : 0;
    const float x = probe.x.data<float>()[i];
    const double scale = grid.scale[channel], found = values.data<float>()[i];
    const double code = code_by_rule(x, grid, channel), u = static_cast<double>(x) / scale;
    const double from_tie = std::abs(std::abs(u - std::nearbyint(u)) - 0.5), tolerance = tie_tolerance(grid, channel);
    const double off = (found - value_of_code(code, grid, channel)) / scale;
    if (std::abs(off) <= tolerance || (from_tie <= tolerance && std::abs(std::abs(off) - 1) <= tolerance)) continue;
    const bool whole = std::abs(off - std::nearbyint(off)) <= tolerance;
    return recorder.find(
        property, state + probe.name(i),
        message(exact(found), ", ", whole ? std::nearbyint(off) : off, " steps from the converted quantizer's ",
                exact(value_of_code(code, grid, channel)), " on the grid ", grid));
  }
}

}  // namespace bitgrad::conformance
