#include <bitgrad/qat/calibration.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/detail/trial_grid.hpp>

namespace bitgrad {
namespace {

using namespace calibration;

constexpr int search_steps = 100;

/// Threshold candidates, largest first: fractions of the largest magnitude, or powers of two around it.
std::vector<double> threshold_candidates(double largest, QuantizationMethod method) {
  std::vector<double> candidates;
  if (method == QuantizationMethod::POWER_OF_TWO) {
    const double exponent = std::ceil(std::log2(largest));
    for (int below = -1; below < 6; ++below) candidates.push_back(std::exp2(exponent - below));
  } else {
    for (int step = search_steps + search_steps / 10; step > 2; --step)
      candidates.push_back(largest * step / search_steps);
  }
  return candidates;
}

/// Fractions of the range, largest first.
std::vector<Bounds> range_candidates(const Bounds& range) {
  std::vector<Bounds> candidates;
  for (int step = search_steps; step > 2; --step)
    candidates.push_back({range.low * step / search_steps, range.high * step / search_steps});
  return candidates;
}

/// The candidate of least cost, the first of equals.
template <class Candidate, class Cost>
Candidate cheapest(const std::vector<Candidate>& candidates, Cost&& cost_of) {
  Candidate best = candidates.front();
  double least = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    const double cost = cost_of(candidate);
    if (cost < least) {
      least = cost;
      best = candidate;
    }
  }
  return best;
}

/// The smallest threshold whose grid [-t, t - scale], or [0, t - scale], holds both bounds.
double holding_threshold(const Bounds& bounds, const QuantizerSpec& spec, bool is_signed) {
  const double levels = std::ldexp(1.0, is_signed ? spec.bits - 1 : spec.bits);
  // levels - 1 is 0 for one signed bit: its only levels are -threshold and 0.
  const double threshold = std::max(-bounds.low, bounds.high * levels / std::max(levels - 1, 1.0));
  return spec.method == QuantizationMethod::POWER_OF_TWO ? std::exp2(std::ceil(std::log2(threshold))) : threshold;
}

double largest_magnitude(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

/// Extremes of the values, zero included.
Bounds extremes(const std::vector<float>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  return {std::min(0.0, static_cast<double>(low)), std::max(0.0, static_cast<double>(high))};
}

double percentile_of(const std::vector<float>& values, double percent, double (*f)(double)) {
  std::vector<double> mapped;
  for (const float value : values) mapped.push_back(f(static_cast<double>(value)));
  return percentile(mapped, percent);
}

/// As the spec says. A handful of values has no distribution to compare with: where kl meets fewer than it has bins,
/// mse serves.
Calibration calibration_of(const std::vector<float>& values, const QuantizerSpec& spec) {
  const Calibration calibration = spec.calibration.value_or(Calibration{});
  const auto zeros = static_cast<std::size_t>(std::ranges::count(values, 0.0F));
  const bool few = values.size() - zeros < Distribution::bins;
  return calibration.method == CalibrationMethod::kl && few ? Calibration{} : calibration;
}

/// The threshold of one group of values.
double search_threshold(const std::vector<float>& values, const QuantizerSpec& spec, bool is_signed) {
  const double largest = largest_magnitude(values);
  if (largest == 0) return 1;
  const Calibration calibration = calibration_of(values, spec);
  switch (calibration.method) {
    case CalibrationMethod::minmax: return holding_threshold(extremes(values), spec, is_signed);
    case CalibrationMethod::percentile: {
      const double most = percentile_of(values, calibration.percentile, [](double x) { return std::abs(x); });
      const Bounds all = extremes(values);
      const Bounds held{std::max(all.low, -most), std::min(all.high, most)};
      return held.low == held.high ? 1 : holding_threshold(held, spec, is_signed);
    }
    case CalibrationMethod::kl: {
      const Distribution distribution(values);
      std::vector<double> candidates =
          threshold_candidates(std::max(-distribution.bounds().low, distribution.bounds().high), *spec.method);
      std::ranges::reverse(candidates);
      return cheapest(candidates,
                      [&](double t) { return distribution.divergence(symmetric_grid(t, spec.bits, is_signed)); });
    }
    case CalibrationMethod::mse: break;
  }
  return cheapest(threshold_candidates(largest, *spec.method),
                  [&](double t) { return squared_error(values, symmetric_grid(t, spec.bits, is_signed)); });
}

/// The range of least divergence: its ends are searched in turn, twice, so that one far value does not widen both.
Bounds search_ends(const Distribution& distribution, int bits) {
  std::vector<Bounds> candidates = range_candidates(distribution.bounds());
  std::ranges::reverse(candidates);
  const auto divergence = [&](const Bounds& range) { return distribution.divergence(uniform_grid(range, bits)); };
  Bounds best = distribution.bounds();
  for (int round = 0; round < 2; ++round) {
    best.low = cheapest(candidates, [&](const Bounds& c) { return divergence({c.low, best.high}); }).low;
    best.high = cheapest(candidates, [&](const Bounds& c) { return divergence({best.low, c.high}); }).high;
  }
  return best;
}

/// The range of one group of values; it contains zero and is not empty.
Bounds search_range(const std::vector<float>& values, const QuantizerSpec& spec) {
  const Bounds all = extremes(values);
  if (all.low == all.high) return {0, 1};
  const Calibration calibration = calibration_of(values, spec);
  switch (calibration.method) {
    case CalibrationMethod::minmax: return all;
    case CalibrationMethod::percentile: {
      const double high = percentile_of(values, calibration.percentile, [](double x) { return x; });
      const double low = -percentile_of(values, calibration.percentile, [](double x) { return -x; });
      const Bounds held{std::min(low, 0.0), std::max(high, 0.0)};
      return held.low == held.high ? Bounds{0, 1} : held;
    }
    case CalibrationMethod::kl: return search_ends(Distribution(values), spec.bits);
    case CalibrationMethod::mse: break;
  }
  return cheapest(range_candidates(all),
                  [&](const Bounds& range) { return squared_error(values, uniform_grid(range, spec.bits)); });
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
    fail<ValueError>(what, ": value ", bad - values.begin(), " is ", *bad,
                     ", expected finite numbers to calibrate from");
}

/// The chosen parameters of every group under the reference's keys.
QuantizationParams params_of(const std::vector<Bounds>& chosen, const Shape& shape, QuantizationMethod method) {
  Tensor low(shape, DType::float64), high(shape, DType::float64);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    low.span<double>()[i] = chosen[i].low;
    high.span<double>()[i] = chosen[i].high;
  }
  if (method == QuantizationMethod::UNIFORM) return {{"range_min", low}, {"range_max", high}};
  return {{"threshold", high}};
}

/// A threshold is the upper bound.
Bounds search(const std::vector<float>& values, const QuantizerSpec& spec, bool is_signed) {
  if (spec.method == QuantizationMethod::UNIFORM) return search_range(values, spec);
  const double threshold = search_threshold(values, spec, is_signed);
  return {-threshold, threshold};
}

QuantizationParams with_sign(QuantizationParams params, QuantizationMethod method, bool is_signed) {
  if (method != QuantizationMethod::UNIFORM)
    params.emplace("is_signed", Tensor::scalar(is_signed ? 1 : 0, DType::float64));
  return params;
}

/// The spec with its method named.
QuantizerSpec with_method(QuantizerSpec spec, QuantizationTarget target) {
  spec.method = method_of(spec, target);
  return spec;
}

}  // namespace

QuantizationParams calibrate_weights(const Tensor& weight, const QuantizerSpec& given) {
  require_searchable(weight, "calibrate_weights");
  const QuantizerSpec spec = with_method(given, QuantizationTarget::Weights);
  const auto groups = groups_of(weight, spec.per_channel);
  std::vector<Bounds> chosen(groups.size());
  parallel_for(static_cast<Index>(groups.size()), 1, [&](Index begin, Index) {
    const auto i = static_cast<std::size_t>(begin);
    chosen[i] = search(groups[i], spec, true);
  });
  std::vector<Index> extents(spec.per_channel ? static_cast<std::size_t>(weight.rank()) : 1, 1);
  extents.back() = static_cast<Index>(groups.size());
  return params_of(chosen, Shape(extents), *spec.method);
}

QuantizationParams calibrate_activations(const Tensor& sample, const QuantizerSpec& given, bool nonnegative) {
  require_searchable(sample, "calibrate_activations");
  const QuantizerSpec spec = with_method(given, QuantizationTarget::Activation);
  const std::vector<float> values = groups_of(sample, false).front();
  return with_sign(params_of({search(values, spec, !nonnegative)}, {1}, *spec.method), *spec.method, !nonnegative);
}

QuantizationParams full_range(const Tensor& sample, const QuantizerSpec& spec, bool nonnegative) {
  require_searchable(sample, "full_range");
  // A power of two that holds the last value may be twice one that misses it by a step.
  QuantizerSpec whole = with_method(spec, QuantizationTarget::Activation);
  const bool least_error = whole.method == QuantizationMethod::POWER_OF_TWO;
  whole.calibration = Calibration{least_error ? CalibrationMethod::mse : CalibrationMethod::minmax};
  return calibrate_activations(sample, whole, nonnegative);
}

}  // namespace bitgrad
