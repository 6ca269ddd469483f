#include <bitgrad/qat/detail/trial_grid.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitgrad::calibration {

TrialGrid symmetric_grid(double threshold, int bits, bool is_signed) {
  const double levels = std::ldexp(1.0, is_signed ? bits - 1 : bits);
  return {static_cast<float>(threshold / levels), 0, static_cast<float>(is_signed ? -levels : 0),
          static_cast<float>(levels - 1)};
}

TrialGrid uniform_grid(const Bounds& range, int bits) {
  const double top = std::ldexp(1.0, bits) - 1;
  const double scale = (range.high - range.low) / top;
  return {static_cast<float>(scale), static_cast<float>(std::nearbyint(-range.low / scale)), 0,
          static_cast<float>(top)};
}

double squared_error(const std::vector<float>& values, const TrialGrid& grid) {
  double error = 0;
  for (const float value : values) {
    const float code = std::clamp(std::nearbyint(value / grid.scale) + grid.zero, grid.lo, grid.hi);
    const double difference = static_cast<double>(value) - static_cast<double>((code - grid.zero) * grid.scale);
    error += difference * difference;
  }
  return error;
}

double percentile(std::vector<double>& values, double percent) {
  constexpr double rounding = 1 - 1e-12;  // 99.9 % of 1000 values are 999 of them, whatever the last bit says
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()) * rounding);
  const auto index = static_cast<std::ptrdiff_t>(std::clamp(rank, 1.0, static_cast<double>(values.size()))) - 1;
  std::nth_element(values.begin(), values.begin() + index, values.end());
  return values[static_cast<std::size_t>(index)];
}

Distribution::Distribution(const std::vector<float>& values) : counts_(bins, 0.0) {
  std::vector<double> magnitudes;
  for (const float value : values) {
    if (value != 0) magnitudes.push_back(std::abs(static_cast<double>(value)));
    bounds_.low = std::min(bounds_.low, static_cast<double>(value));
    bounds_.high = std::max(bounds_.high, static_cast<double>(value));
  }
  const double limit = 8 * percentile(magnitudes, 99);
  bounds_ = {std::max(bounds_.low, -limit), std::min(bounds_.high, limit)};
  width_ = (bounds_.high - bounds_.low) / static_cast<double>(bins);
  for (const float value : values) {
    const double x = static_cast<double>(value);
    if (x == 0) continue;
    if (x < bounds_.low)
      ++below_;
    else if (x > bounds_.high)
      ++above_;
    else
      ++counts_[std::min(static_cast<std::size_t>((x - bounds_.low) / width_), bins - 1)];
  }
}

double Distribution::divergence(const TrialGrid& grid) const {
  // The bins inside the grid's range are neighbours; what lies outside is added to the outermost of them that are not
  // empty.
  double below = below_, above = above_, inside = 0;
  std::size_t first = bins, last = 0;
  std::vector<float> levels(bins);
  for (std::size_t i = 0; i < bins; ++i) {
    levels[i] = std::nearbyint(static_cast<float>(center(i)) / grid.scale) + grid.zero;
    if (counts_[i] == 0) continue;
    if (levels[i] < grid.lo) {
      below += counts_[i];
    } else if (levels[i] > grid.hi) {
      above += counts_[i];
    } else {
      inside += counts_[i];
      first = std::min(first, i);
      last = i;
    }
  }
  if (inside == 0) return std::numeric_limits<double>::infinity();
  const double all = inside + below + above;
  double divergence = 0;
  for (std::size_t begin = first; begin <= last;) {
    std::size_t end = begin;
    double mass = 0, occupied = 0;
    for (; end <= last && levels[end] == levels[begin]; ++end) {
      mass += counts_[end];
      occupied += counts_[end] > 0 ? 1 : 0;
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (counts_[i] == 0) continue;
      const double p = (counts_[i] + (i == first ? below : 0) + (i == last ? above : 0)) / all;
      const double q = mass / occupied / inside;
      divergence += p * std::log(p / q);
    }
    begin = end;
  }
  return divergence;
}

}  // namespace bitgrad::calibration
