// What a model's layers do, read from what they lower to, so that rules need not know layer types.
#pragma once

#include <vector>

#include <bitgrad/layers/model.hpp>

namespace bitgrad {

/// The kinds of layers that the rules of quantization-aware training tell apart.
enum class LayerKind {
  moves_data,  ///< every output element is an input element or zero: pooling by maximum, flatten, padding, dropout,
               ///< repeating pixels
  clamp,       ///< ReLU and its kin, fused into what produces their input
  batch_norm,  ///< folded into what produces its input
  arithmetic,  ///< computes new values: its inputs must be quantized
  float_tail,  ///< softmax, normalisation of the input: stays in float32
  quantizer,   ///< an activation holder
};

struct LayerAnalysis {
  LayerKind kind = LayerKind::arithmetic;
  Shape output_shape;        ///< per sample
  bool nonnegative = false;  ///< no output element can be below zero, given a model input in [0, 1]
};

/// One entry per node of a built model; StateError for one that is not built.
std::vector<LayerAnalysis> analyse(const Model& model);

}  // namespace bitgrad
