#include <bitgrad/quantizers/grid.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>
#include <bitgrad/quantizers/detail/channels.hpp>

namespace bitgrad {
namespace {

kernels::ChannelLayout layout_of(const Tensor& x, const Grid& grid, std::string_view what) {
  return channel_layout(x.shape(), grid.channel_axis, static_cast<Index>(grid.scale.size()), what);
}

kernels::CodeGrid code_grid(const Grid& grid) { return {grid.scale.data(), grid.zero_point.data(), grid.lo, grid.hi}; }

/// As far as the loops go.
constexpr double farthest = 1 << 20;

}  // namespace

void validate(const Grid& grid, std::string_view what) {
  if (grid.bits < 1 || grid.bits > 16) fail<ValueError>(what, ": ", grid.bits, " bits, expected 1 to 16");
  if (std::abs(static_cast<double>(grid.lo)) > farthest || std::abs(static_cast<double>(grid.hi)) > farthest)
    fail<ValueError>(what, ": codes from ", grid.lo, " to ", grid.hi, ", expected at most 2^20 in magnitude");
  if (grid.lo > grid.hi) fail<ValueError>(what, ": codes from ", grid.lo, " to ", grid.hi, ", expected lo <= hi");
  if (static_cast<std::int64_t>(grid.hi) - grid.lo >= std::int64_t{1} << grid.bits)
    fail<ValueError>(what, ": codes from ", grid.lo, " to ", grid.hi, " do not fit in ", grid.bits, " bits");
  if (grid.scale.empty() || grid.scale.size() != grid.zero_point.size())
    fail<ValueError>(what, ": ", grid.scale.size(), " scales and ", grid.zero_point.size(),
                     " zero points, expected as many of one as of the other, and at least one");
  if (!grid.channel_axis && grid.scale.size() != 1)
    fail<ValueError>(what, ": ", grid.scale.size(), " scales without a channel axis, expected 1");
  for (std::size_t c = 0; c < grid.scale.size(); ++c) {
    if (!std::isfinite(grid.scale[c]) || grid.scale[c] <= 0)
      fail<ValueError>(what, ": scale ", c, " is ", grid.scale[c], ", expected a finite positive number");
    if (std::abs(static_cast<double>(grid.zero_point[c])) > farthest)
      fail<ValueError>(what, ": zero point ", c, " is ", grid.zero_point[c], ", expected at most 2^20 in magnitude");
  }
}

Tensor codes_of(const Tensor& x, const Grid& grid, std::string_view what) {
  validate(grid, what);
  const kernels::ChannelLayout layout = layout_of(x, grid, what);
  Tensor codes(x.shape(), DType::int32);
  kernels::quantize_to_codes(layout, x.data<float>(), code_grid(grid), what, codes.data<std::int32_t>());
  return codes;
}

Tensor values_of(const Tensor& codes, const Grid& grid) {
  validate(grid, "values_of");
  const kernels::ChannelLayout layout = layout_of(codes, grid, "values_of");
  Tensor values(codes.shape());
  kernels::codes_to_values(layout, codes.data<std::int32_t>(), code_grid(grid), values.data<float>());
  return values;
}

std::ostream& operator<<(std::ostream& out, const Grid& grid) {
  const auto list = [&out](const auto& values) {
    const std::size_t shown = std::min<std::size_t>(values.size(), 4);
    for (std::size_t i = 0; i < shown; ++i) out << (i ? ", " : "") << values[i];
    if (shown < values.size()) out << ", ...";
  };
  out << grid.bits << " bits, codes " << grid.lo << ".." << grid.hi << ", scale [";
  list(grid.scale);
  out << "], zero point [";
  list(grid.zero_point);
  out << ']';
  if (grid.channel_axis) out << ", " << grid.scale.size() << " channels on axis " << *grid.channel_axis;
  return out;
}

}  // namespace bitgrad
