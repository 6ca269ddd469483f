#include <bitgrad/quantizers/trainable/lsq_plus.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/quantizers/detail/channels.hpp>

namespace bitgrad {
namespace {

/// Mean and deviation of the weights that share a step.
struct Spread {
  double sum = 0, squares = 0;
  Index count = 0;

  double mean() const { return sum / static_cast<double>(count); }
  double three_sigma() const {
    const double variance = squares / static_cast<double>(count) - mean() * mean();
    return 3 * std::sqrt(std::max(variance, 0.0));
  }
};

/// One per step, in the order of the channels.
std::vector<Spread> spreads(const Tensor& weight, const kernels::ChannelLayout& layout) {
  std::vector<Spread> result(static_cast<std::size_t>(layout.channels));
  const auto values = weight.span<float>();
  for (Index i = 0; i < layout.size(); ++i) {
    Spread& spread = result[static_cast<std::size_t>(i / layout.inner % layout.channels)];
    const auto value = static_cast<double>(values[static_cast<std::size_t>(i)]);
    if (!std::isfinite(value))
      fail<ValueError>("LsqPlusWeightsQuantizer: weight ", i, " is ", value, ", expected finite numbers to start from");
    spread.sum += value;
    spread.squares += value * value;
    ++spread.count;
  }
  return result;
}

}  // namespace

QuantizationParams LsqPlusWeightsQuantizer::start_from(const Tensor& weight,
                                                       const TrainableQuantizerWeightsConfig& config) {
  if (weight.size() == 0) fail<ValueError>("LsqPlusWeightsQuantizer: there are no weights to start from");
  const int axis = normalize_axis(config.weights_channels_axis, weight.rank(), "LsqPlusWeightsQuantizer");
  const bool per_channel = config.weights_per_channel_threshold;
  const auto layout = per_channel ? kernels::per_channel(weight.shape(), axis) : kernels::per_tensor(weight.size());
  std::vector<Index> extents(per_channel ? static_cast<std::size_t>(weight.rank()) : 1, 1);
  if (per_channel) extents[static_cast<std::size_t>(axis)] = layout.channels;

  Tensor threshold(Shape(extents), DType::float64), min = threshold.clone(), max = threshold.clone();
  std::size_t c = 0;
  for (const Spread& spread : spreads(weight, layout)) {
    const double low = spread.mean() - spread.three_sigma(), high = spread.mean() + spread.three_sigma();
    const bool zeros = low == 0 && high == 0;
    threshold.span<double>()[c] = zeros ? 1 : std::max(std::abs(low), std::abs(high));
    min.span<double>()[c] = std::min(low, 0.0);
    max.span<double>()[c] = zeros ? 1 : std::max(high, 0.0);
    ++c;
  }
  if (config.method == QuantizationMethod::SYMMETRIC) return {{"threshold", threshold}};
  return {{"range_min", min}, {"range_max", max}};
}

}  // namespace bitgrad
