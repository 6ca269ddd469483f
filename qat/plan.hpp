// Which quantizer goes where, with its calibrated start: everything that makes a float model a quantized one, as data.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/layers/model.hpp>
#include <bitgrad/quantizers/config.hpp>

namespace bitgrad {

struct WeightPlan {
  std::string layer;       ///< node name
  std::string weight;      ///< "kernel"
  std::string identifier;  ///< "lsq"
  TrainableQuantizerWeightsConfig config;
};

struct ActivationPlan {
  std::string producer;  ///< node whose output is quantized; "input" for the model's input
  std::string identifier;
  TrainableQuantizerActivationConfig config;
  bool trainable = true;  ///< false: the calibrated grid stays (the model's input)
};

/// The holder of a producer's output is the node "<producer>/out".
std::string holder_name(std::string_view producer);

struct QuantizationPlan {
  std::vector<WeightPlan> weights;
  std::vector<ActivationPlan> activations;

  /// JSON with a version; numbers read back to the same bits. Reading is strict: ValueError names entry and field.
  std::string to_json() const;
  static QuantizationPlan from_json(std::string_view json);
};

/// A new model with the plan's quantizers attached: layers wrapped, batch normalisation taken into the wrapper (or
/// folded into the float kernel where weights are power-of-two), channels with negative gamma negated, activation
/// holders inserted. The source is untouched. ValueError for a name the model does not have, two quantizers in one
/// place, a quantizer on the output of a layer that is folded with the normalisation behind it, and what a quantizer's
/// constructor refuses; StateError for a model that already holds quantizers or is not built.
Model attach_quantizers(const Model& model, const QuantizationPlan& plan);

}  // namespace bitgrad
