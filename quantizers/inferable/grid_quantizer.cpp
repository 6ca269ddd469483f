#include <bitgrad/quantizers/inferable/grid_quantizer.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/detail/channels.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad {
GridInferableQuantizer::GridInferableQuantizer(Grid grid, std::string_view type) : grid_(std::move(grid)) {
  validate(grid_, type);
  invertible_ =
      std::all_of(grid_.scale.begin(), grid_.scale.end(), [](float scale) { return std::isfinite(1.0F / scale); });
}

Tensor GridInferableQuantizer::operator()(const Tensor& x) const {
  const auto layout = channel_layout(x.shape(), grid_.channel_axis, static_cast<Index>(grid_.scale.size()), type());
  Tensor y(x.shape());
  if (invertible_) {
    const kernels::CodeGrid grid{grid_.scale.data(), grid_.zero_point.data(), grid_.lo, grid_.hi};
    kernels::quantize_to_values(layout, x.data<float>(), grid, y.data<float>());
  } else {
    const std::vector<float> zero_point(grid_.zero_point.begin(), grid_.zero_point.end());
    const kernels::LevelGrid<float> grid{.scale = grid_.scale.data(),
                                         .lo = static_cast<float>(grid_.lo),
                                         .hi = static_cast<float>(grid_.hi),
                                         .zero_point = zero_point.data()};
    kernels::fake_quantize(layout, x.data<float>(), grid, y.data<float>());
  }
  return y;
}

namespace detail {

void check_bits(int bits, std::string_view type) {
  if (bits < 1 || bits > 16) fail<ValueError>(type, ": num_bits is ", bits, ", expected 1 to 16");
}

void check_count(std::size_t count, bool per_channel, const std::optional<int>& channel_axis, std::string_view type,
                 std::string_view name) {
  if (!per_channel && count != 1)
    fail<ValueError>(type, ": ", name, " has ", count, " elements, expected exactly 1 per tensor");
  if (per_channel && count == 0) fail<ValueError>(type, ": ", name, " is empty, expected one element per channel");
  if (per_channel && !channel_axis) fail<ValueError>(type, ": per_channel without a channel_axis");
}

void require_powers_of_two(const std::vector<double>& threshold, std::string_view type) {
  for (std::size_t c = 0; c < threshold.size(); ++c)
    if (!is_power_of_two(threshold[c]))
      fail<ValueError>(type, ": threshold ", c, " is ", threshold[c], ", expected a power of two");
}

std::string short_list(std::span<const double> values) {
  std::ostringstream out;
  const std::size_t shown = values.size() > 5 ? 4 : values.size();
  for (std::size_t i = 0; i < shown; ++i) out << (i ? ", " : "[") << values[i];
  out << (shown < values.size() ? ", ...]" : "]");
  return out.str();
}

std::string channels_text(const Grid& grid) {
  if (!grid.channel_axis) return {};
  return message(", ", grid.scale.size(), grid.scale.size() == 1 ? " channel" : " channels", " on axis ",
                 *grid.channel_axis);
}

}  // namespace detail
}  // namespace bitgrad
