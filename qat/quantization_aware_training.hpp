// The facade: from a trained float model to one that learns with quantizers, and on to a frozen one.
#pragma once

#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/plan.hpp>
#include <bitgrad/qat/quantization_config.hpp>

namespace bitgrad {

/// Chooses places and calibrated starting values by the rules of architecture.md: every kernel gets a quantizer, every
/// tensor that enters arithmetic gets one, signedness follows from the operation that produces it. Starting values come
/// from the weights themselves and from `representative` (float32 [n, input shape]), of which at most about 131,072
/// values per tensor are looked at. ShapeError for other data; ValueError for an override that matches nothing, changes
/// nothing or contradicts itself, bits out of range, an unknown quantizer, and for a tensor with a number that is not
/// finite, naming it; StateError for a model that is not built.
QuantizationPlan plan_quantization(const Model& model, const Tensor& representative, const QuantizationConfig& config);

/// attach_quantizers(model, plan_quantization(...)). Throws as the two.
Model quantization_aware_training_init(const Model& model, const Tensor& representative,
                                       const QuantizationConfig& config);

/// A new model in which every quantizer is inferable, those inside of layers included (Layer::sublayers()). The source
/// is untouched; finalizing twice changes nothing. ValueError for a quantizer that does not convert.
Model quantization_aware_training_finalize(const Model& model);

/// Freezes (or thaws) the batch statistics of every batch normalisation and, with them, quantizes biases in training.
void freeze_batch_norm(Model& model, bool frozen);

/// Lets activations through unquantized in training, or no longer: weights adapt to their grids first. Evaluation is of
/// what ships, with all quantizers.
void delay_activation_quantizers(Model& model, bool delayed);

/// Tells every trainable quantizer how much of the training is done, from 0 to 1. The trainer does so before every
/// step.
void set_training_progress(Model& model, double share);

}  // namespace bitgrad
