// What inferable quantizers on an integer grid have in common.
#pragma once

#include <span>
#include <string>

#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad {

/// Quantizes by a grid: floats with a multiplication by the float32 reciprocal of the scale, as the reference does,
/// codes with a true division. Ties are decided before the zero point is added; level zero is +0; infinities saturate;
/// NaN stays.
class GridInferableQuantizer : public BaseInferableQuantizer {
 public:
  int bits() const override { return grid_.bits; }
  Grid grid() const override { return grid_; }
  Tensor operator()(const Tensor& x) const override;

 protected:
  /// Throws ValueError starting with `type` for an impossible grid.
  GridInferableQuantizer(Grid grid, std::string_view type);

 private:
  Grid grid_;
  bool invertible_ = true;  // false when the reciprocal of a denormal scale overflows: then x is divided
};

namespace detail {

/// Throws ValueError starting with `type` unless 1 <= bits <= 16.
void check_bits(int bits, std::string_view type);
/// One parameter list: exactly one element per tensor; per channel at least one, and a channel axis. `name` is the
/// list's.
void check_count(std::size_t count, bool per_channel, const std::optional<int>& channel_axis, std::string_view type,
                 std::string_view name);
/// Throws ValueError starting with `type` and naming the first threshold that is no power of two.
void require_powers_of_two(const std::vector<double>& threshold, std::string_view type);
/// "[2, 4, 1]", long lists shortened.
std::string short_list(std::span<const double> values);
/// ", 3 channels on axis -1", or nothing per tensor.
std::string channels_text(const Grid& grid);

}  // namespace detail
}  // namespace bitgrad
