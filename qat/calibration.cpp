#include <bitgrad/qat/calibration.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <bitgrad/core/parallel.hpp>

namespace bitgrad {
namespace {

constexpr int search_steps = 100;

/// An affine grid under trial.
struct TrialGrid {
  float scale;
  float zero;  // zero point
  float lo;
  float hi;
};

/// A candidate of the search: the parameters and their grid.
struct Candidate {
  double first;   // threshold or range_min
  double second;  // range_max
};

TrialGrid symmetric_grid(double threshold, int bits, bool is_signed) {
  const double levels = std::ldexp(1.0, is_signed ? bits - 1 : bits);
  return {static_cast<float>(threshold / levels), 0, static_cast<float>(is_signed ? -levels : 0), static_cast<float>(levels - 1)};
}

TrialGrid uniform_grid(const Candidate& range, int bits) {
  const double top = std::ldexp(1.0, bits) - 1;
  const double scale = (range.second - range.first) / top;
  return {static_cast<float>(scale), static_cast<float>(std::nearbyint(-range.first / scale)), 0, static_cast<float>(top)};
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

Candidate best_of(const std::vector<float>& values, const std::vector<Candidate>& candidates,
                  const std::function<TrialGrid(const Candidate&)>& grid_of) {
  Candidate best = candidates.front();
  double least = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    const double error = squared_error(values, grid_of(candidate));
    if (error < least) {
      least = error;
      best = candidate;
    }
  }
  return best;
}

double largest_magnitude(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

/// The threshold of one group of values.
double search_threshold(const std::vector<float>& values, const QuantizerSpec& spec, bool is_signed) {
  const double largest = largest_magnitude(values);
  if (largest == 0) return 1;
  std::vector<Candidate> candidates;
  if (spec.method == QuantizationMethod::POWER_OF_TWO) {
    const double exponent = std::ceil(std::log2(largest));
    for (int below = -1; below < 6; ++below) candidates.push_back({std::exp2(exponent - below), 0});
  } else {
    for (int step = search_steps + search_steps / 10; step > 2; --step) candidates.push_back({largest * step / search_steps, 0});
  }
  return best_of(values, candidates, [&](const Candidate& c) { return symmetric_grid(c.first, spec.bits, is_signed); }).first;
}

/// The range of one group of values; it contains zero and is not empty.
Candidate search_range(const std::vector<float>& values, const QuantizerSpec& spec) {
  const auto [low, high] = std::ranges::minmax(values);
  const double bottom = std::min(0.0, static_cast<double>(low));
  const double top = std::max(0.0, static_cast<double>(high));
  if (bottom == top) return {0, 1};
  std::vector<Candidate> candidates;
  for (int step = search_steps; step > 2; --step)
    candidates.push_back({bottom * step / search_steps, top * step / search_steps});
  return best_of(values, candidates, [&](const Candidate& c) { return uniform_grid(c, spec.bits); });
}

/// Groups of values that share a grid: the whole tensor, or one group per last-axis channel.
std::vector<std::vector<float>> groups_of(const Tensor& tensor, bool per_channel) {
  const auto values = tensor.span<float>();
  const std::size_t channels = per_channel ? static_cast<std::size_t>(tensor.dim(-1)) : 1;
  std::vector<std::vector<float>> groups(channels);
  for (std::size_t i = 0; i < values.size(); ++i) groups[i % channels].push_back(values[i]);
  return groups;
}

void require_searchable(const Tensor& tensor, std::string_view what) {
  if (tensor.size() == 0) fail<ValueError>(what, ": there are no values to calibrate from");
  const auto values = tensor.span<float>();
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad != values.end())
    fail<ValueError>(what, ": value ", bad - values.begin(), " is ", *bad, ", expected finite numbers to calibrate from");
}

/// The chosen parameters of every group under the reference's keys.
QuantizationParams params_of(const std::vector<Candidate>& chosen, const Shape& shape, QuantizationMethod method) {
  Tensor first(shape, DType::float64), second(shape, DType::float64);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    first.span<double>()[i] = chosen[i].first;
    second.span<double>()[i] = chosen[i].second;
  }
  if (method == QuantizationMethod::UNIFORM) return {{"range_min", first}, {"range_max", second}};
  return {{"threshold", first}};
}

QuantizationParams with_sign(QuantizationParams params, QuantizationMethod method, bool is_signed) {
  if (method != QuantizationMethod::UNIFORM) params.emplace("is_signed", Tensor::scalar(is_signed ? 1 : 0, DType::float64));
  return params;
}

}  // namespace

QuantizationParams calibrate_weights(const Tensor& weight, const QuantizerSpec& spec) {
  require_searchable(weight, "calibrate_weights");
  const auto groups = groups_of(weight, spec.per_channel);
  std::vector<Candidate> chosen(groups.size());
  parallel_for(static_cast<Index>(groups.size()), 1, [&](Index begin, Index) {
    const auto i = static_cast<std::size_t>(begin);
    chosen[i] = spec.method == QuantizationMethod::UNIFORM ? search_range(groups[i], spec)
                                                           : Candidate{search_threshold(groups[i], spec, true), 0};
  });
  std::vector<Index> extents(spec.per_channel ? static_cast<std::size_t>(weight.rank()) : 1, 1);
  extents.back() = static_cast<Index>(groups.size());
  return params_of(chosen, Shape(extents), spec.method);
}

QuantizationParams calibrate_activations(const Tensor& sample, const QuantizerSpec& spec, bool nonnegative) {
  require_searchable(sample, "calibrate_activations");
  const std::vector<float> values = groups_of(sample, false).front();
  const Candidate chosen = spec.method == QuantizationMethod::UNIFORM
                               ? search_range(values, spec)
                               : Candidate{search_threshold(values, spec, !nonnegative), 0};
  return with_sign(params_of({chosen}, {1}, spec.method), spec.method, !nonnegative);
}

QuantizationParams full_range(const Tensor& sample, const QuantizerSpec& spec, bool nonnegative) {
  require_searchable(sample, "full_range");
  const std::vector<float> values = groups_of(sample, false).front();
  if (spec.method == QuantizationMethod::POWER_OF_TWO) return calibrate_activations(sample, spec, nonnegative);
  if (spec.method == QuantizationMethod::UNIFORM) {
    const auto [low, high] = std::ranges::minmax(values);
    const Candidate range{std::min(0.0, static_cast<double>(low)), std::max(0.0, static_cast<double>(high))};
    return params_of({range.first == range.second ? Candidate{0, 1} : range}, {1}, spec.method);
  }
  const double largest = largest_magnitude(values);
  const double levels = std::ldexp(1.0, nonnegative ? spec.bits : spec.bits - 1);
  // levels - 1 is 0 for one signed bit: its only levels are -threshold and 0.
  const double threshold = largest == 0 ? 1 : largest * levels / std::max(levels - 1, 1.0);
  return with_sign(params_of({{threshold, 0}}, {1}, spec.method), spec.method, !nonnegative);
}

}  // namespace bitgrad
