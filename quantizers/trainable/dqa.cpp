#include <bitgrad/quantizers/trainable/dqa.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view attention_key = "attention";
constexpr double annealed_at = 0.5;  // of the training
constexpr double final_temperature = 10;
constexpr int widest = 16;

/// The config of each width, rising.
std::vector<TrainableQuantizerWeightsConfig> width_configs(const TrainableQuantizerWeightsConfig& config) {
  std::vector<TrainableQuantizerCandidateConfig> candidates = config.candidates;
  if (candidates.empty())
    for (int bits = config.n_bits, width = 0; bits <= widest && width < 3; bits *= 2, ++width)
      candidates.push_back({bits, {}});
  std::ranges::stable_sort(candidates, {}, &TrainableQuantizerCandidateConfig::n_bits);
  std::vector<TrainableQuantizerWeightsConfig> result;
  for (const TrainableQuantizerCandidateConfig& candidate : candidates) {
    if (candidate.n_bits < 1 || candidate.n_bits > widest)
      fail<ValueError>("AttentionWeightsQuantizer: a candidate has ", candidate.n_bits, " bits, expected 1 to 16");
    if (!result.empty() && result.back().n_bits == candidate.n_bits)
      fail<ValueError>("AttentionWeightsQuantizer: two candidates have ", candidate.n_bits,
                       " bits, expected different widths");
    TrainableQuantizerWeightsConfig of_width = config;
    of_width.candidates.clear();
    of_width.n_bits = candidate.n_bits;
    if (!candidate.quantization_params.empty()) of_width.quantization_params = candidate.quantization_params;
    result.push_back(std::move(of_width));
  }
  return result;
}

/// Halved from width to width, the sum is 1.
Tensor starting_attention(std::size_t widths) {
  std::vector<double> values;
  for (std::size_t i = 0; i < widths; ++i)
    values.push_back(std::exp2(static_cast<double>(widths - 1 - i)) / (std::exp2(static_cast<double>(widths)) - 1));
  return Tensor::from(Shape{static_cast<Index>(widths)}, values);
}

double temperature(double progress) { return final_temperature * std::min(progress / annealed_at, 1.0); }

/// softmax(temperature * attention / std(attention))
Variable softened(const Variable& attention, double temperature) {
  const Variable centered = attention - mean(attention);
  const auto others = static_cast<double>(std::max<Index>(attention.value().size() - 1, 1));
  const Variable deviation = sqrt(sum(centered * centered) / others + 1e-12);
  return softmax(attention / deviation * temperature);
}

Variable element(const Variable& x, std::size_t i) {
  Tensor one = Tensor::zeros(x.shape(), x.dtype());
  dispatch_floating("dqa", x.dtype(), [&](auto zero) { one.span<decltype(zero)>()[i] = 1; });
  return sum(x * Variable(one));
}

}  // namespace

AttentionWeightsQuantizer::AttentionWeightsQuantizer(const TrainableQuantizerWeightsConfig& config,
                                                     bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params) {
  for (const TrainableQuantizerWeightsConfig& of_width : width_configs(config)) {
    widths_.push_back(of_width.n_bits);
    steps_.emplace_back(of_width, "AttentionWeightsQuantizer", message("_", of_width.n_bits));
  }
}

void AttentionWeightsQuantizer::initialize_quantization(const std::optional<Shape>& shape, std::string_view name) {
  add_quantizer_variable(
      attention_key, detail::quantizer_variable(message(name, "_", attention_key), starting_attention(widths_.size()),
                                                !freeze_quant_params()));
  for (const detail::LearnedStep& step : steps_) step.create_variables(*this, shape, name);
}

void AttentionWeightsQuantizer::set_training_progress(double share) {
  progress_ = share;
  // Once annealed the choice stands. What an optimizer remembers must not change it any more, nor move what is not
  // used.
  const bool learns = !freeze_quant_params();
  get_quantizer_variable(attention_key)->set_trainable(learns && mixes());
  for (std::size_t i = 0; i < steps_.size(); ++i)
    steps_[i].set_trainable(*this, learns && (mixes() || i == favourite()));
}

bool AttentionWeightsQuantizer::mixes() const { return progress_ < annealed_at && widths_.size() > 1; }

Variable AttentionWeightsQuantizer::operator()(const Variable& x, bool training) {
  if (!training || !mixes()) return steps_[favourite()](*this, x);
  const Variable p = softened(variable_of(get_quantizer_variable(attention_key)), temperature(progress_));
  Variable y = element(p, 0) * steps_[0](*this, x);
  for (std::size_t i = 1; i < steps_.size(); ++i) y = y + element(p, i) * steps_[i](*this, x);
  return y;
}

InferablePtr AttentionWeightsQuantizer::convert2inferable() const { return steps_[favourite()].convert(*this); }

std::size_t AttentionWeightsQuantizer::favourite() const {
  const Tensor attention = get_quantizer_variable(attention_key)->value().to(DType::float64);
  const auto values = attention.span<double>();
  for (const double value : values)
    if (std::isnan(value)) fail<ValueError>("AttentionWeightsQuantizer: an attention is NaN: ", attention);
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

Tensor AttentionWeightsQuantizer::probabilities() const {
  return softened(Variable(get_quantizer_variable(attention_key)->value()), temperature(progress_)).value();
}

}  // namespace bitgrad
