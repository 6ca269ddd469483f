// A configuration applied to the layers of a model, and what of it had no effect.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/quantization_config.hpp>

namespace bitgrad::qat {

class LayerRules {
 public:
  /// `model` names the layers that can be meant. ValueError for an override that matches none of them (with the nearest
  /// name), says nothing, or contradicts itself. The configuration must outlive the rules.
  LayerRules(const Model& model, const QuantizationConfig& config);

  bool keeps_float(const Model::Node& node);
  /// The quantizer of a layer's kernel; `edge`: the first or last layer.
  std::optional<QuantizerSpec> kernel(const Model::Node& node, bool edge);
  /// Quantizers of a layer's other weights by name.
  std::vector<std::pair<std::string, QuantizerSpec>> other_weights(const Model::Node& node);
  /// The quantizer of the tensor that these nodes compute together; `edge`: only the last layer reads it.
  std::optional<QuantizerSpec> activations(const std::vector<const Model::Node*>& nodes, bool edge);
  /// The quantizer of the model's input.
  std::optional<QuantizerSpec> input();

  /// ValueError for an override part of which reached nothing; `kernels` and `tensors` are the names that could have
  /// been reached.
  void require_effect(const std::vector<std::string>& kernels, const std::vector<std::string>& tensors) const;

 private:
  struct Effect {
    bool weights = false, activations = false, keep_float = false;
    std::set<std::string> other_weights = {};
  };

  std::string label(std::size_t rule) const;
  void require_sense(std::size_t rule) const;
  void require_match(std::size_t rule, const Model& model) const;
  void apply(std::size_t rule, std::optional<QuantizerSpec>& spec, const std::optional<QuantizerSpec>& chosen,
             const std::optional<int>& bits, std::string_view what) const;
  std::optional<QuantizerSpec> at_edge(std::optional<QuantizerSpec> spec, bool edge) const;

  const QuantizationConfig& config_;
  std::vector<Effect> effects_;  // of each override
};

}  // namespace bitgrad::qat
