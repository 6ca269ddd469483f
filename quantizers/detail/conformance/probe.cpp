#include <bitgrad/quantizers/detail/conformance/probe.hpp>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <limits>
#include <set>

#include <bitgrad/core/random.hpp>

namespace bitgrad::conformance {
namespace {

constexpr double margin = 3;  // steps beyond the ends
constexpr double all_levels_up_to = 256;

void add_around(std::set<double>& levels, double center) {
  for (double level = center - margin; level <= center + margin; ++level) levels.insert(level);
}

/// The float at a position; a tie is one also for float32 division where a neighbour makes it so.
float value_at(const Position& position, double zero, float step) {
  const double level = position.level - zero;
  auto x = static_cast<float>(level * static_cast<double>(step));
  const auto is_exact = [&](float candidate) { return static_cast<double>(candidate / step) == level; };
  if (!is_exact(x))
    for (const float direction : {-1.0F, 1.0F}) {
      const float neighbour = std::nextafter(x, direction * std::numeric_limits<float>::infinity());
      if (is_exact(neighbour)) x = neighbour;
    }
  for (int i = 0; i < std::abs(position.ulps); ++i)
    x = std::nextafter(
        x, position.ulps < 0 ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity());
  return x;
}

}  // namespace

Ruler ruler_of(const Grid& grid) {
  return {static_cast<double>(grid.lo), static_cast<double>(grid.hi), grid.scale,
          std::vector<double>(grid.zero_point.begin(), grid.zero_point.end()), grid.channel_axis};
}

Layout::Layout(const Ruler& ruler, int rank, Index slots) {
  const int axis = ruler.axis ? normalize_axis(*ruler.axis, rank, "conformance: channel axis") : -1;
  std::vector<Index> extents(static_cast<std::size_t>(rank), 1);
  channels_ = static_cast<Index>(ruler.channels());
  std::vector<int> others;
  for (int i = 0; i < rank; ++i)
    if (i != axis) others.push_back(i);
  const auto extent = [&](int i) -> Index& { return extents[static_cast<std::size_t>(i)]; };
  if (axis >= 0) extent(axis) = channels_;
  Index per_channel = 1;
  if (others.size() > 1) {  // the axis that a mistaken quantizer would take: the first or the last
    const auto twin = axis == rank - 1 ? others.begin() : others.end() - 1;
    extent(*twin) = per_channel = axis >= 0 ? channels_ : 2;
    others.erase(twin);
  }
  if (!others.empty()) extent(others.front()) = (slots + per_channel - 1) / per_channel;
  shape_ = Shape(extents);
  for (int i = axis + 1; axis >= 0 && i < rank; ++i) inner_ *= extents[static_cast<std::size_t>(i)];
}

std::vector<Position> dense_positions(const Ruler& ruler, std::uint64_t seed) {
  std::set<double> levels;
  if (ruler.hi - ruler.lo <= all_levels_up_to) {
    for (double level = ruler.lo - margin; level <= ruler.hi + margin; ++level) levels.insert(level);
  } else {
    Random random(seed);
    for (const double center : {ruler.lo, ruler.hi}) add_around(levels, center);
    for (const double zero : ruler.zero) add_around(levels, std::nearbyint(zero));
    for (int i = 0; i < 300; ++i)
      levels.insert(ruler.lo + static_cast<double>(random.below(static_cast<Index>(ruler.hi - ruler.lo))));
  }
  std::vector<Position> positions;
  for (const double level : levels) {
    for (int eighth = 0; eighth < 8; ++eighth) positions.push_back({level + eighth / 8.0});
    for (const int ulps : {-2, -1, 1, 2}) positions.push_back({level + 0.5, ulps});
  }
  return positions;
}

std::vector<Position> random_positions(const Ruler& ruler, std::size_t count, int beyond, std::uint64_t seed) {
  Random random(seed);
  const auto levels = static_cast<Index>(ruler.hi - ruler.lo) + 1 + 2 * beyond;
  std::vector<Position> positions;
  for (std::size_t i = 0; i < count; ++i) {
    const double level = ruler.lo - beyond + static_cast<double>(random.below(levels)),
                 fraction = random.uniform(0.1, 0.4);
    const bool up = beyond == 0 && level == ruler.lo, down = beyond == 0 && level == ruler.hi;  // stay between the ends
    positions.push_back({level + (up || (!down && random.below(2) == 0) ? fraction : -fraction)});
  }
  return positions;
}

Probe::Probe(const Ruler& r, int rank, const std::vector<Position>& positions)
    : ruler(r), layout(r, rank, static_cast<Index>(positions.size())), x(layout.shape()) {
  std::vector<std::size_t> next(ruler.channels(), 0);
  for (Index i = 0; i < x.size(); ++i) {
    const std::size_t c = layout.channel_of(i);
    const Position& position = positions[next[c]++ % positions.size()];
    x.data<float>()[i] = value_at(position, ruler.zero[c], ruler.step[c]);
  }
}

std::string Probe::name(Index element) const {
  std::ostringstream out;
  out << "element " << element;
  if (ruler.channels() > 1) out << " (channel " << layout.channel_of(element) << ')';
  out << std::setprecision(9) << ", " << x.data<float>()[element];
  return out.str();
}

}  // namespace bitgrad::conformance
