#include <bitgrad/qat/quantization_statistics.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

namespace bitgrad {
namespace {

constexpr std::size_t most_levels = 64;
constexpr int bins_per_step = 4;
constexpr int fine_bins = 96;

/// The levels of a frozen quantizer, in steps.
struct Levels {
  std::vector<double> positions;  // ascending
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;  // as many
  std::optional<int> channel_axis;
  bool even = true;  // one step from each to the next
};

Levels levels_of(const BaseInferableQuantizer& quantizer) {
  if (const std::optional<LookupTable> table = quantizer.table()) {
    Levels levels{{table->entries.begin(), table->entries.end()}, table->scale, {}, table->channel_axis, false};
    std::ranges::sort(levels.positions);
    levels.positions.erase(std::unique(levels.positions.begin(), levels.positions.end()), levels.positions.end());
    levels.zero_point.assign(levels.scale.size(), 0);
    return levels;
  }
  const Grid grid = quantizer.grid();
  Levels levels{{}, grid.scale, grid.zero_point, grid.channel_axis, true};
  for (std::int32_t code = grid.lo; code <= grid.hi; ++code) levels.positions.push_back(code);
  return levels;
}

/// Which elements are of one channel.
kernels::ChannelLayout layout_of(const Shape& shape, const Levels& levels) {
  const bool per_channel = levels.channel_axis && levels.scale.size() > 1;
  return per_channel ? kernels::per_channel(shape, *levels.channel_axis) : kernels::per_tensor(shape.size());
}

void count(Histogram& histogram, double position) {
  const auto bins = static_cast<double>(histogram.counts.size());
  const double bin = std::floor((position - histogram.low) * (bins / (histogram.high - histogram.low)));
  ++histogram.counts[static_cast<std::size_t>(std::clamp(bin, 0.0, bins - 1))];
}

/// Bins over the grid and, as far as three times its width, over the values beside it; what is farther out falls into
/// the outermost. A few to a step where steps are few.
Histogram empty_before(const Levels& levels, double least, double greatest) {
  const double first = levels.positions.front() - 0.5, last = levels.positions.back() + 0.5, width = last - first;
  const double low = std::floor(std::clamp(least, first - width, first)) - 0.5;
  const double high = std::ceil(std::clamp(greatest, last, last + width)) + 0.5;
  const bool few = levels.positions.size() <= 32;
  const double bins = few ? (high - low) * bins_per_step : fine_bins;
  return {low, high, std::vector<std::int64_t>(static_cast<std::size_t>(std::clamp(bins, 8.0, 512.0)))};
}

/// Bins of whole steps, one step each where there are few.
Histogram empty_after(const Levels& levels) {
  const double first = levels.positions.front(), steps = levels.positions.back() - first + 1;
  const double width = std::ceil(steps / static_cast<double>(most_levels));
  const double bins = std::ceil(steps / width);
  return {first - 0.5, first - 0.5 + bins * width, std::vector<std::int64_t>(static_cast<std::size_t>(bins))};
}

QuantizedTensor measured(std::string name, const Tensor& values, const BaseInferableQuantizer& quantizer,
                         bool weights) {
  const Levels levels = levels_of(quantizer);
  const Tensor quantized = quantizer(values);
  const kernels::ChannelLayout layout = layout_of(values.shape(), levels);
  const auto x = values.span<float>(), q = quantized.span<float>();
  const auto position = [&](float value, std::size_t i) {
    const auto c = static_cast<std::size_t>(static_cast<Index>(i) / layout.inner % layout.channels);
    return static_cast<double>(value) / static_cast<double>(levels.scale[c]) + levels.zero_point[c];
  };
  QuantizedTensor result{.tensor = std::move(name),
                         .quantizer = std::string(quantizer.type()),
                         .weights = weights,
                         .bits = quantizer.bits(),
                         .per_channel = levels.scale.size() > 1,
                         .levels = levels.positions,
                         .before = {},
                         .after = {}};
  if (result.levels.size() > most_levels) result.levels = {levels.positions.front(), levels.positions.back()};
  for (std::size_t c = 0; c < levels.scale.size(); ++c) {
    const auto value = [&](double at) { return (at - levels.zero_point[c]) * static_cast<double>(levels.scale[c]); };
    result.low = c == 0 ? value(levels.positions.front()) : std::min(result.low, value(levels.positions.front()));
    result.high = c == 0 ? value(levels.positions.back()) : std::max(result.high, value(levels.positions.back()));
  }
  if (x.empty()) return result;
  double least = position(x[0], 0), greatest = least, signal = 0, noise = 0;
  std::int64_t outside = 0;
  result.minimum = result.maximum = static_cast<double>(x[0]);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = position(x[i], i), value = static_cast<double>(x[i]), error = value - static_cast<double>(q[i]);
    least = std::min(least, at);
    greatest = std::max(greatest, at);
    result.minimum = std::min(result.minimum, value);
    result.maximum = std::max(result.maximum, value);
    signal += value * value;
    noise += error * error;
    outside += at < levels.positions.front() - 0.5 || at > levels.positions.back() + 0.5 ? 1 : 0;
  }
  result.clipped = static_cast<double>(outside) / static_cast<double>(x.size());
  result.sqnr = noise > 0 && signal > 0 ? 10 * std::log10(signal / noise) : lossless_sqnr;
  result.before = empty_before(levels, least, greatest);
  result.after = empty_after(levels);
  for (std::size_t i = 0; i < x.size(); ++i) {
    count(result.before, position(x[i], i));
    count(result.after, position(q[i], i));
  }
  return result;
}

/// False for quantizers that have neither grid nor table.
bool has_levels(const BaseInferableQuantizer& quantizer) {
  try {
    levels_of(quantizer);
    return true;
  } catch (const NotImplementedError&) {
    return false;
  }
}

}  // namespace

std::vector<QuantizedTensor> quantization_statistics(const Model& model, const Tensor& images) {
  Model live = model;  // a forward pass is no const operation
  std::vector<QuantizedTensor> weights, activations;
  std::vector<Variable> values;
  for (std::size_t i = 0; i < live.nodes().size(); ++i) {
    const Model::Node& node = live.nodes()[i];
    std::vector<Variable> inputs;
    for (const int from : node.inputs)
      inputs.push_back(from < 0 ? Variable(images) : values[static_cast<std::size_t>(from)]);
    if (const auto* wrapper = dynamic_cast<const QuantizationWrapper*>(node.layer.get()))
      for (const auto& [weight, slot] : wrapper->dispatcher().weight_quantizers())
        if (const auto quantizer = slot.inferable(); has_levels(*quantizer))
          weights.push_back(measured(node.name + "/" + weight, wrapper->before_quantizer(weight), *quantizer, true));
    if (const auto* holder = dynamic_cast<const ActivationQuantizationHolder*>(node.layer.get());
        holder && holder->quantizes())
      if (const auto quantizer = holder->quantizer().inferable(); has_levels(*quantizer))
        activations.push_back(measured(node.name, inputs.front().value(), *quantizer, false));
    values.push_back(node.layer->forward(inputs, {.stream = i, .model = &live}));
  }
  weights.insert(weights.end(), activations.begin(), activations.end());
  return weights;
}

}  // namespace bitgrad
