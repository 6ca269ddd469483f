#include <bitgrad/qat/gradual.hpp>

#include <algorithm>
#include <charconv>
#include <optional>

#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/qat/preparation.hpp>

namespace bitgrad {
namespace {

constexpr std::int64_t most_epochs = 1'000'000;  // sums of them are numbers
constexpr const char* expected = ", expected falling bits, 8,4,2, or bits and epochs, 8:2,4:2,2:4";

std::int64_t whole_number(std::string_view digits, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    fail<ValueError>("phases are \"", text, "\", \"", digits, "\" is no whole number", expected);
  return value;
}

/// The phases as they are written; 0 epochs where none are given.
std::vector<BitPhase> split(std::string_view text) {
  std::vector<BitPhase> phases;
  for (std::string_view rest = text;;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, comma);
    const std::size_t colon = std::min(part.find(':'), part.size());
    const std::int64_t bits = whole_number(part.substr(0, colon), text);
    if (bits < 1 || bits > 16) fail<ValueError>("a phase has ", bits, " bits, expected 1 to 16");
    BitPhase phase{static_cast<int>(bits), 0};
    if (colon < part.size()) {
      phase.epochs = whole_number(part.substr(colon + 1), text);
      if (phase.epochs < 1 || phase.epochs > most_epochs)
        fail<ValueError>("phase ", part, " has ", phase.epochs, " epochs, expected 1 to ", most_epochs);
    }
    if (!phases.empty() && phase.bits >= phases.back().bits)
      fail<ValueError>("phases have ", phases.back().bits, " and then ", phase.bits, " bits", expected);
    phases.push_back(phase);
    if (comma == rest.size()) return phases;
    rest.remove_prefix(comma + 1);
  }
}

void share_out(std::vector<BitPhase>& phases, std::int64_t epochs) {
  const auto count = static_cast<std::int64_t>(phases.size());
  if (epochs < count)
    fail<ValueError>(epochs, " epochs with quantizers for ", count, " phases, expected one for each at least");
  for (std::int64_t i = 0; i < count; ++i)
    phases[static_cast<std::size_t>(i)].epochs = epochs * (i + 1) / count - epochs * i / count;
}

void raise(std::optional<QuantizerSpec>& spec, int bits) {
  if (spec) spec->bits = std::max(spec->bits, bits);
}

void raise(std::optional<int>& own, int bits) {
  if (own) own = std::max(*own, bits);
}

}  // namespace

std::vector<BitPhase> parse_gradual(std::string_view text, std::int64_t epochs) {
  std::vector<BitPhase> phases = split(text);
  const auto given = std::ranges::count_if(phases, [](const BitPhase& phase) { return phase.epochs > 0; });
  if (given == 0) {
    share_out(phases, epochs);
    return phases;
  }
  if (given < static_cast<std::ptrdiff_t>(phases.size()))
    fail<ValueError>("epochs are given for ", given, " of ", phases.size(), " phases", expected);
  std::int64_t sum = 0;
  for (const BitPhase& phase : phases) sum += phase.epochs;
  if (epochs != 0 && sum != epochs) fail<ValueError>("phases have ", sum, " epochs together, expected ", epochs);
  return phases;
}

std::string to_string(const std::vector<BitPhase>& phases) {
  std::string text;
  for (const BitPhase& phase : phases) text += message(text.empty() ? "" : ",", phase.bits, ':', phase.epochs);
  return text;
}

int fewest_bits(const QuantizationConfig& config) {
  int fewest = 16;
  const auto see = [&](const std::optional<QuantizerSpec>& spec) {
    if (spec) fewest = std::min(fewest, spec->bits);
  };
  see(config.weights);
  see(config.activations);
  for (const LayerOverride& rule : config.overrides) {
    see(rule.weights);
    see(rule.activations);
    fewest = std::min({fewest, rule.weight_bits.value_or(16), rule.activation_bits.value_or(16)});
    for (const auto& [weight, spec] : rule.other_weights) see(spec);
  }
  return fewest;
}

QuantizationConfig at_least(QuantizationConfig config, int bits) {
  raise(config.weights, bits);
  raise(config.activations, bits);
  if (config.first_last_bits > 0) config.first_last_bits = std::max(config.first_last_bits, bits);
  for (LayerOverride& rule : config.overrides) {
    raise(rule.weights, bits);
    raise(rule.activations, bits);
    raise(rule.weight_bits, bits);
    raise(rule.activation_bits, bits);
    for (auto& [weight, spec] : rule.other_weights) spec.bits = std::max(spec.bits, bits);
  }
  return config;
}

// ---- weights ----

namespace {

/// The state of a float model, filled from that of a quantized one.
class Learned {
 public:
  Learned(const Model& float_model, const Model& quantized)
      : model_(float_model), from_(quantized.state_dict()), state_(float_model.state_dict()) {}

  NamedTensors run() {
    for (const BatchNormPair& pair : batch_norm_pairs(model_)) take(pair);
    for (auto& [name, tensor] : state_)
      if (std::ranges::find(done_, name) == done_.end()) copy(name, name);
    return std::move(state_);
  }

 private:
  const Model::Node& node(int number) const { return model_.nodes()[static_cast<std::size_t>(number)]; }

  Tensor& target(const std::string& name) {
    done_.push_back(name);
    return state_.at(name);
  }

  Tensor& copy(const std::string& to, const std::string& from) {
    const Tensor* found = from_.find(from);
    if (!found) fail<ValueError>("with_learned_weights: the quantized model has no \"", from, '"');
    Tensor& result = target(to);
    if (found->shape() != result.shape())
      fail<ShapeError>("with_learned_weights: \"", from, "\" of the quantized model is ", found->shape(), ", expected ",
                       result.shape());
    result.copy_from(*found);
    return result;
  }

  /// A layer and the normalisation behind it, which its wrapper has taken in.
  void take(const BatchNormPair& pair) {
    const std::string layer = node(pair.layer).name + "/", own = node(pair.batch_norm).name + "/";
    if (from_.contains(own + "gamma")) return;  // it stands alone
    for (const char* name : {"gamma", "beta", "moving_mean", "moving_variance"}) copy(own + name, layer + "bn/" + name);
    for (float& gamma : state_.at(own + "gamma").span<float>()) gamma = std::max(gamma, 0.0F);
  }

  const Model& model_;
  NamedTensors from_, state_;
  std::vector<std::string> done_;
};

}  // namespace

Model with_learned_weights(const Model& float_model, const Model& quantized) {
  Model result = float_model;
  result.load_state_dict(Learned(float_model, quantized).run());
  return result;
}

}  // namespace bitgrad
