#include <bitgrad/qat/detail/layer_rules.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/qat/detail/topology.hpp>

namespace bitgrad::qat {
namespace {

constexpr int input_bits = 8;

/// Shell patterns with `*` only.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*')
    return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  return !name.empty() && pattern.front() == name.front() && matches(pattern.substr(1), name.substr(1));
}

bool matches(const LayerOverride& rule, const Model::Node& node) {
  return (rule.pattern.empty() || matches(rule.pattern, node.name)) &&
         (rule.type.empty() || rule.type == node.layer->type());
}

bool means_input(const LayerOverride& rule) { return rule.pattern == model_input && rule.type.empty(); }

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text.empty() ? "none" : text;
}

std::vector<std::string> unique(std::vector<std::string> names) {
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

LayerRules::LayerRules(const Model& model, const QuantizationConfig& config)
    : config_(config), effects_(config.overrides.size()) {
  const auto check = [](const std::optional<QuantizerSpec>& spec, const std::string& what) {
    if (spec) validate(*spec, what);
  };
  check(config.weights, "quantization config: weights");
  check(config.activations, "quantization config: activations");
  validate(config.calibration, "quantization config: calibration");
  if (config.first_last_bits < 0 || config.first_last_bits > 16)
    fail<ValueError>("quantization config: first_last_bits is ", config.first_last_bits, ", expected 0 to 16");
  for (std::size_t rule = 0; rule < config.overrides.size(); ++rule) {
    const LayerOverride& said = config.overrides[rule];
    check(said.weights, message(label(rule), ": weights"));
    check(said.activations, message(label(rule), ": activations"));
    for (const auto& [name, spec] : said.other_weights) validate(spec, message(label(rule), ": ", name));
    for (const std::optional<int>& bits : {said.weight_bits, said.activation_bits})
      if (bits && (*bits < 1 || *bits > 16)) fail<ValueError>(label(rule), ": bits are ", *bits, ", expected 1 to 16");
    require_match(rule, model);
    require_sense(rule);
  }
}

std::string LayerRules::label(std::size_t rule) const {
  const LayerOverride& said = config_.overrides[rule];
  const std::string text = said.origin.empty() ? message("quantization config: override ", rule + 1) : said.origin;
  const std::string layer = said.pattern.empty() ? "" : message("layer \"", said.pattern, '"');
  const std::string type = said.type.empty() ? "" : message("type \"", said.type, '"');
  if (layer.empty() && type.empty()) return text;
  return message(text, " (", layer, layer.empty() || type.empty() ? "" : ", ", type, ")");
}

void LayerRules::require_match(std::size_t rule, const Model& model) const {
  const LayerOverride& said = config_.overrides[rule];
  if (said.pattern.empty() && said.type.empty()) fail<ValueError>(label(rule), " names neither a layer nor a type");
  if (means_input(said)) return;
  if (std::ranges::any_of(model.nodes(), [&](const Model::Node& node) { return matches(said, node); })) return;
  std::vector<std::string> names{std::string(model_input)}, types;
  for (const Model::Node& node : model.nodes()) {
    names.push_back(node.name);
    types.emplace_back(node.layer->type());
  }
  const bool type_is_wrong = !said.type.empty() && std::ranges::find(types, said.type) == types.end();
  const std::string& wrong = type_is_wrong ? said.type : said.pattern;
  const std::vector<std::string> known = type_is_wrong ? unique(types) : names;
  const std::string nearest = wrong.find('*') == std::string::npos ? nearest_name(wrong, known) : "";
  fail<ValueError>(label(rule), " matches no layer of the model",
                   nearest.empty() ? "" : message(" (did you mean \"", nearest, "\"?)"), "; there is ", list(known));
}

void LayerRules::require_sense(std::size_t rule) const {
  const LayerOverride& said = config_.overrides[rule];
  const bool weights = said.weights || said.weight_bits, activations = said.activations || said.activation_bits;
  const bool quantizes = weights || activations || !said.other_weights.empty();
  if (said.keep_float && quantizes)
    fail<ValueError>(label(rule), " keeps the layer in float and gives it a quantizer, expected one of the two");
  if (!said.keep_float && !quantizes) fail<ValueError>(label(rule), " says nothing of weights or activations");
  if ((said.weights && said.weight_bits) || (said.activations && said.activation_bits))
    fail<ValueError>(label(rule), " gives both a quantizer and bits, expected one of the two");
  if (said.other_weights.contains("kernel"))
    fail<ValueError>(label(rule), ": the kernel's quantizer belongs into weights, not other_weights");
}

bool LayerRules::keeps_float(const Model::Node& node) {
  bool keeps = false;
  for (std::size_t rule = 0; rule < effects_.size(); ++rule) {
    if (!config_.overrides[rule].keep_float || !matches(config_.overrides[rule], node)) continue;
    effects_[rule].keep_float = true;
    keeps = true;
  }
  return keeps;
}

std::optional<QuantizerSpec> LayerRules::kernel(const Model::Node& node, bool edge) {
  std::optional<QuantizerSpec> spec = at_edge(config_.weights, edge);
  for (std::size_t rule = 0; rule < effects_.size(); ++rule) {
    const LayerOverride& said = config_.overrides[rule];
    if (!matches(said, node)) continue;
    apply(rule, spec, said.weights, said.weight_bits, "weights");
    effects_[rule].weights = true;
  }
  return keeps_float(node) ? std::nullopt : spec;
}

std::vector<std::pair<std::string, QuantizerSpec>> LayerRules::other_weights(const Model::Node& node) {
  std::map<std::string, QuantizerSpec> chosen;
  for (std::size_t rule = 0; rule < effects_.size(); ++rule) {
    const LayerOverride& said = config_.overrides[rule];
    if (said.other_weights.empty() || !matches(said, node)) continue;
    for (const auto& [name, spec] : said.other_weights) {
      // A pattern may match layers without it; a layer's own name must not.
      if (!node.layer->has_weight(name) && said.pattern != node.name) continue;
      try {
        node.layer->weight(name);
      } catch (const ValueError& error) {
        fail<ValueError>(label(rule), ": ", error.what());
      }
      chosen.insert_or_assign(name, spec);
      effects_[rule].other_weights.insert(name);
    }
  }
  if (!chosen.empty() && keeps_float(node)) return {};
  return {chosen.begin(), chosen.end()};
}

std::optional<QuantizerSpec> LayerRules::activations(const std::vector<const Model::Node*>& nodes, bool edge) {
  std::optional<QuantizerSpec> spec = at_edge(config_.activations, edge);
  for (std::size_t rule = 0; rule < effects_.size(); ++rule) {
    const LayerOverride& said = config_.overrides[rule];
    if (std::ranges::none_of(nodes, [&](const Model::Node* node) { return matches(said, *node); })) continue;
    apply(rule, spec, said.activations, said.activation_bits, "activations");
    effects_[rule].activations = true;
  }
  return spec;
}

std::optional<QuantizerSpec> LayerRules::input() {
  std::optional<QuantizerSpec> spec = config_.activations;
  if (spec) spec->bits = input_bits;
  for (std::size_t rule = 0; rule < effects_.size(); ++rule) {
    const LayerOverride& said = config_.overrides[rule];
    if (!means_input(said)) continue;
    apply(rule, spec, said.activations, said.activation_bits, "activations");
    effects_[rule].activations = true;
  }
  return spec;
}

void LayerRules::apply(std::size_t rule, std::optional<QuantizerSpec>& spec, const std::optional<QuantizerSpec>& chosen,
                       const std::optional<int>& bits, std::string_view what) const {
  if (chosen) spec = chosen;
  if (!bits) return;
  if (!spec)
    fail<ValueError>(label(rule), " gives bits to ", what, " that have no quantizer; name one, as in lsq:", *bits);
  spec->bits = *bits;
}

std::optional<QuantizerSpec> LayerRules::at_edge(std::optional<QuantizerSpec> spec, bool edge) const {
  if (spec && edge) spec->bits = std::max(spec->bits, config_.first_last_bits);
  return spec;
}

void LayerRules::require_effect(const std::vector<std::string>& kernels,
                                const std::vector<std::string>& tensors) const {
  for (std::size_t rule = 0; rule < effects_.size(); ++rule) {
    const LayerOverride& said = config_.overrides[rule];
    const Effect& effect = effects_[rule];
    if ((said.weights || said.weight_bits) && !effect.weights)
      fail<ValueError>(label(rule),
                       " quantizes weights, but no layer that it matches has a kernel; these have: ", list(kernels));
    if ((said.activations || said.activation_bits) && !effect.activations)
      fail<ValueError>(
          label(rule),
          " quantizes activations, but nothing that it matches computes a tensor that is quantized; these do: ",
          list(tensors));
    if (said.keep_float && !effect.keep_float)
      fail<ValueError>(label(rule), " keeps layers in float that no rule would have quantized");
    for (const auto& [name, spec] : said.other_weights)
      if (!effect.other_weights.contains(name))
        fail<ValueError>(label(rule), " quantizes \"", name, "\", but no layer that it matches has such a weight");
  }
}

}  // namespace bitgrad::qat
