// What the layers of a graph cost: multiply-adds and bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// A convolution or dense layer.
struct LayerCost {
  std::string layer;            ///< node name
  std::string operation;        ///< "integer_conv2d"
  Shape output_shape;           ///< per sample
  int weight_bits = 32;         ///< 32: float
  int output_bits = 32;         ///< of the tensor it writes; 32: float
  std::int64_t parameters = 0;  ///< of the kernel
  std::int64_t biases = 0;      ///< with those that batch normalization has become
  /// Multiply-adds per sample: every element of the kernel meets every output position, of all channels together, once,
  /// padding included. Not so of a transposed convolution with a stride, where all but the pixels of its input are
  /// zeros put between them: every element meets each of those pixels once.
  std::int64_t macs = 0;
  std::int64_t bytes = 0;  ///< of its weights, as InferenceGraph::weight_bytes() counts
};

/// Bytes of quantized weights: codes packed at their width, int32 biases, float32 scales.
std::int64_t packed_bytes(std::int64_t codes, int bits, std::int64_t biases, std::int64_t scales);

/// One entry per layer with a kernel, in order of execution.
std::vector<LayerCost> layer_costs(const InferenceGraph& graph);

/// The share of one node in InferenceGraph::weight_bytes().
std::size_t weight_bytes(const GraphNode& node);

}  // namespace bitgrad
