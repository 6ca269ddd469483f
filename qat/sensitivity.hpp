// How much each layer suffers from few bits, and what follows for a budget.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>

namespace bitgrad {

/// One layer's kernel at one bit width, everything else in float.
struct LayerSensitivity {
  std::string layer;
  int bits = 0;
  std::int64_t bytes = 0;  ///< of the layer's weights at this width, as InferenceGraph::weight_bytes() counts
  std::int64_t macs = 0;   ///< multiply-adds per sample
  double loss = 0;         ///< mean cross entropy more than that of the float model; may be negative
  double accuracy = 0;     ///< of the model with this one layer quantized, in [0, 1]
};

struct Sensitivity {
  double loss = 0, accuracy = 0;         ///< of the float model, on the same data
  QuantizerSpec weights;                 ///< the quantizer of the kernels, whatever its bits
  std::vector<LayerSensitivity> layers;  ///< by layer in order of execution, then by bits as asked for

  /// JSON with format "bitgrad.sensitivity" and a version. Reading is strict: ValueError naming `what` and the field.
  std::string to_json() const;
  static Sensitivity from_json(std::string_view json, std::string_view what);
};

/// Quantizes one kernel at a time, calibrated and not trained, and evaluates on `dataset`. `spec` says everything but
/// the bits. ValueError for bits out of range, no bits, no images, an unknown quantizer and a model whose kernels
/// already have quantizers; StateError for a model that is not built; ShapeError when it does not take the images.
Sensitivity weight_sensitivity(const Model& float_model, const data::Dataset& dataset, std::span<const int> bits,
                               const QuantizerSpec& spec = {});

/// What a budget counts: bytes of weights, or multiply-adds in units of 8 bits (MACs * bits / 8).
enum class Budget { bytes, macs };

/// What a layer at its bit width takes of it.
double cost_of(const LayerSensitivity& layer, Budget budget);

/// One bit width per layer such that the costs add up to at most `limit` and the sum of the losses is least, taking
/// layers as independent (a multiple-choice knapsack, solved by dynamic programming over at most 20,000 parts of the
/// limit; costs are rounded up to whole parts, so that the limit always holds). Of equal losses the smaller cost.
/// ValueError when even the smallest widths cost more, with what they do cost, and for a limit that is not finite and
/// positive.
std::vector<LayerSensitivity> allocate_bits(const Sensitivity& sensitivity, Budget budget, double limit);

}  // namespace bitgrad
