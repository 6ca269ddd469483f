// An inference graph, operation by operation, as TFLite.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/qat/export/detail/tflite_model.hpp>
#include <bitgrad/qat/export/tflite.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::tflite {

/// Per sample (h, w, c) to {1, h, w, c}.
std::vector<std::int32_t> with_batch(const Shape& shape);

/// Where a code goes in int8: the lowest of its grid to -128.
inline std::int32_t stored(const Grid& grid, std::int32_t code) { return code - grid.lo - 128; }

template <class T>
io::Bytes bytes_of(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

class Exporter {
 public:
  Exporter(const InferenceGraph& graph, const TfliteOptions& options)
      : graph_(graph), options_(options), numbers_(graph.tensors.size(), -1) {}
  Model run();

 private:
  using Number = std::int32_t;  ///< of a tensor in the file

  // ---- the frame: tflite_exporter.cpp ----
  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  const GraphTensor& output_of(const GraphNode& node) const { return tensor(node.output); }
  void check_tensors() const;
  void describe();
  /// The tensor in the file, which is made when first asked for.
  Number number_of(int t);
  Number input_of(const GraphNode& node) { return number_of(node.inputs[0]); }
  Number add(Tensor tensor);
  Number constant(const std::string& name, Type type, std::vector<std::int32_t> shape, io::Bytes data,
                  Quantization quantization = {});
  Number integers(const std::string& name, const std::vector<std::int32_t>& values, std::vector<std::int32_t> shape);
  Number floats(const std::string& name, const std::vector<float>& values);
  void node(Operator code, std::vector<Number> inputs, Number output, Options type = Options::none,
            flatbuffer::Table options = {});

  /// Codes of the node's output as they come out of an operator, and the operators that clamp them.
  void clamped(const GraphNode& node, std::int32_t lo, std::int32_t hi, const std::function<void(Number)>& emit_into);

  // ---- layers: tflite_layers.cpp ----
  static void check_multiplier(const GraphNode& node, float multiplier);
  using EmitLayer = std::function<void(Number x, Number kernel, Number bias, Number y)>;
  /// What a layer's operator computes with its codes: codes by their scales, or float32 integers.
  enum class Arithmetic { codes, integers };
  /// The kernel's codes with their scales, or for integers with scale 1.
  Number kernel(const GraphNode& node, const IntegerWeights& weights, bool depthwise, Arithmetic arithmetic);
  /// Whether the kernels of the graph's mode take codes of 4 bits.
  bool takes_int4(const IntegerWeights& weights, Arithmetic arithmetic) const;
  Number bias(const GraphNode& node, const IntegerWeights& weights);
  /// The accumulators in float32, then their multipliers.
  void logits(const GraphNode& node, const IntegerWeights& weights, bool depthwise, const EmitLayer& emit_operator);
  /// The padding that TFLite has; what it has not goes through a Pad in front of `x`.
  std::int8_t padding(const GraphNode& node, const Conv2DGeometry& g, Number& x);
  void convolve(const GraphNode& node, const Conv2DGeometry& g, bool depthwise, Number x, Number w, Number b, Number y);
  void emit(const GraphNode& node, const IntegerConv2D& op);
  void emit(const GraphNode& node, const IntegerDense& op);

  // ---- the others: tflite_operations.cpp ----
  void refuse_ort(const GraphNode& node, const char* what) const;
  Number pad(const GraphNode& node, const Padding& padding, Number x, Number y);
  /// y = table[x], or table[channel][x], for a table of codes less y's lowest: one entry for every code of x.
  void look_up(const std::string& name, int x, const std::vector<std::int32_t>& table, Index channels, Number y);
  /// The input on the grid of a concatenation's output.
  Number on_grid_of(const GraphNode& node, const IntegerConcat& op, int input);
  void emit(const GraphNode& node, const IntegerAdd& op);
  void emit(const GraphNode& node, const IntegerGlobalAveragePool2D& op);
  void emit(const GraphNode& node, const IntegerConcat& op);
  void emit(const GraphNode& node, const IntegerAveragePool2D& op);
  void emit(const GraphNode& node, const IntegerTable& op);
  void emit(const GraphNode& node, const QuantizeOp& op);
  void emit(const GraphNode& node, const DequantizeOp& op);
  void emit(const GraphNode& node, const MaxPool2DOp& op);
  void emit(const GraphNode& node, const ReshapeOp& op);
  void emit(const GraphNode& node, const Pad2DOp& op);
  void emit(const GraphNode& node, const Upsample2DOp& op);
  void emit(const GraphNode& node, const InsertZeros2DOp& op);
  /// x in another shape, whose first extent is free.
  Number reshaped(const std::string& name, Number x, std::vector<std::int32_t> shape);
  /// The same of rank 4, with so many zeros behind along axis 2.
  Number padded_rows(const std::string& name, Number x, std::vector<std::int32_t> shape, Index zeros);
  void emit(const GraphNode& node, const FloatSoftmax& op);
  [[noreturn]] static void refuse(const GraphNode& node);
  template <class Op>
  void emit(const GraphNode& node, const Op&);

  const InferenceGraph& graph_;
  const TfliteOptions& options_;
  Model model_;
  std::vector<Number> numbers_;  ///< by tensor number of the graph; -1 until there
};

}  // namespace bitgrad::tflite
