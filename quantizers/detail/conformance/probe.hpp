// What quantizers are probed with: tensors whose channels see the same positions relative to their levels.
#pragma once

#include <optional>
#include <vector>

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad::conformance {

/// Levels lo..hi of a quantizer: in channel c, level p lies at (p - zero[c]) * step[c].
struct Ruler {
  double lo = 0, hi = 0;
  std::vector<float> step;
  std::vector<double> zero;
  std::optional<int> axis;  // of the channels; empty: one for the whole tensor

  std::size_t channels() const { return step.size(); }
};

/// From the grid of a quantizer.
Ruler ruler_of(const Grid& grid);

/// A shape in which every channel has at least `slots` elements, and the channel of each element.
class Layout {
 public:
  /// When there are several channels, another axis has the same extent as theirs (rank 3 and more), so that a quantizer
  /// which takes the wrong axis is not stopped by shapes. Throws ShapeError when the rank does not have the axis.
  Layout(const Ruler& ruler, int rank, Index slots);

  const Shape& shape() const { return shape_; }
  std::size_t channel_of(Index element) const { return static_cast<std::size_t>(element / inner_ % channels_); }

 private:
  Shape shape_;
  Index inner_ = 1, channels_ = 1;
};

/// A place among the levels; with `ulps` the float so many further on.
struct Position {
  double level;
  int ulps = 0;
};

/// Every eighth of a step from below the lowest to above the highest level, and the floats beside each tie. Beyond 8
/// bits only around the ends, the zero points and some hundred levels between.
std::vector<Position> dense_positions(const Ruler& ruler, std::uint64_t seed);
/// Random places between the ends, or up to `beyond` steps outside of them: a tenth of a step or more from every level
/// and tie, where rounding errors decide.
std::vector<Position> random_positions(const Ruler& ruler, std::size_t count, int beyond, std::uint64_t seed);

/// A float32 tensor whose channels run through the positions.
struct Probe {
  Ruler ruler;
  Layout layout;
  Tensor x;

  Probe(const Ruler& ruler, int rank, const std::vector<Position>& positions);
  /// "element 17 (channel 2), 0.4375"
  std::string name(Index element) const;
};

}  // namespace bitgrad::conformance
