// The facade: from a trained float model to one that learns with quantizers, and on to a frozen one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/plan.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>

namespace bitgrad {

/// Exceptions from the rules for the layers whose name matches a pattern ("block*/conv1", `*` matches anything). Later
/// overrides win.
struct LayerOverride {
  std::string pattern = {};
  std::optional<QuantizerSpec> weights = {};      ///< of the layer's kernel
  std::optional<QuantizerSpec> activations = {};  ///< of the tensor that the layer produces; for "input", of the model's input
  bool keep_float = false;                   ///< leave the layer's weights and the tensors it alone reads unquantized
};

struct QuantizationConfig {
  std::optional<QuantizerSpec> weights = QuantizerSpec{};      ///< kernels; empty: none
  std::optional<QuantizerSpec> activations = QuantizerSpec{.per_channel = false};
  /// Bits of the first and last layer's kernel and of the last layer's input; 0: as everywhere else. The model's input has
  /// 8 bits unless overridden.
  int first_last_bits = 8;
  std::vector<LayerOverride> overrides = {};
};

/// Chooses places and calibrated starting values by the rules of architecture.md: every kernel gets a quantizer, every
/// tensor that enters arithmetic gets one, signedness follows from the operation that produces it. Thresholds minimise the
/// mean squared error on `representative` (float32 [n, input shape]). ShapeError for other data; ValueError for an override
/// that matches nothing, bits out of range, an unknown quantizer, and for a tensor that holds a NaN, naming it.
QuantizationPlan plan_quantization(const Model& model, const Tensor& representative, const QuantizationConfig& config);

/// attach_quantizers(model, plan_quantization(...)).
Model quantization_aware_training_init(const Model& model, const Tensor& representative, const QuantizationConfig& config);

/// A new model in which every quantizer is inferable; the source is untouched; finalizing twice changes nothing.
Model quantization_aware_training_finalize(const Model& model);

/// Freezes (or thaws) the batch statistics of every batch normalisation and, with them, quantizes biases in training.
void freeze_batch_norm(Model& model, bool frozen);

}  // namespace bitgrad
