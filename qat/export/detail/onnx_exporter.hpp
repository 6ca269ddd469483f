// An inference graph, operation by operation, as ONNX.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bitgrad/qat/export/detail/onnx_builder.hpp>
#include <bitgrad/qat/export/onnx.hpp>

namespace bitgrad::onnx {

/// Images are NCHW in the file: an axis of the graph's per-sample shape as one of the file's, behind the batch.
class Exporter {
 public:
  Exporter(const InferenceGraph& graph, const OnnxOptions& options);
  Model run();

 private:
  // ---- tensors ----
  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  const GraphTensor& output_of(const GraphNode& node) const { return tensor(node.output); }
  void check_tensors() const;
  void declare_input_and_output();
  void describe();
  /// The codes of a tensor with a grid, uint8, the lowest code 0.
  const std::string& codes_of(int t) const { return codes_[static_cast<std::size_t>(t)]; }
  /// The tensor as float32: a DequantizeLinear for codes, which is made when first asked for.
  std::string real_of(int t);
  Wire dequantize(int t, const std::string& name);
  /// Scale and zero point of a tensor's codes in the file.
  std::pair<std::string, std::string> grid_of(int t);

  // ---- results ----
  /// The result of a node in float32: the tensor itself, or what quantize() then turns into its codes.
  Wire real_result(const GraphNode& node, const std::string& operation, std::vector<std::string> inputs, Dims dims,
                   std::vector<Attribute> attributes = {});
  Wire real_result(const GraphNode& node, const std::string& operation, std::vector<std::string> inputs,
                   std::vector<Attribute> attributes = {});
  /// QuantizeLinear to the tensor's codes, and a Clip where codes outside lo..hi could come out.
  void quantize(const Wire& real, int t, std::int32_t lo, std::int32_t hi);
  void quantize(const Wire& real, const GraphNode& node, std::int32_t lo, std::int32_t hi) {
    quantize(real, node.output, lo, hi);
  }
  /// For results that cannot leave the tensor's grid; does nothing for float32 tensors.
  void quantize_moved(const Wire& real, const GraphNode& node);

  // ---- weights ----
  /// The kernel's codes and its DequantizeLinear.
  std::string kernel(const GraphNode& node, const IntegerWeights& weights);
  std::string stored_codes(const std::string& name, const StoredWeights& stored);
  std::string bias(const GraphNode& node, const IntegerWeights& weights);
  std::vector<std::string> float_weights(const GraphNode& node, const Tensor& kernel, const Tensor& bias);
  std::string per_channel(const GraphNode& node, const char* name, const Tensor& values);
  StoredWeights stored(const GraphNode& node, const IntegerWeights& weights) const;

  // ---- operations ----
  void emit(const GraphNode& node, const IntegerConv2D& op);
  void emit_float_output(const GraphNode& node, const IntegerConv2D& op);
  void emit(const GraphNode& node, const IntegerDense& op);
  void emit(const GraphNode& node, const IntegerAdd& op);
  void emit(const GraphNode& node, const IntegerConcat& op);
  void emit(const GraphNode& node, const IntegerAveragePool2D& op);
  void emit(const GraphNode& node, const IntegerGlobalAveragePool2D& op);
  void emit(const GraphNode& node, const IntegerTable& op);
  void emit(const GraphNode& node, const QuantizeOp& op);
  void emit(const GraphNode& node, const DequantizeOp& op);
  void emit(const GraphNode& node, const MaxPool2DOp& op);
  void emit(const GraphNode& node, const ReshapeOp& op);
  void emit(const GraphNode& node, const Pad2DOp& op);
  void emit(const GraphNode& node, const Upsample2DOp& op);
  void emit(const GraphNode& node, const InsertZeros2DOp& op);
  void emit(const GraphNode& node, const WhereOp& op);
  void emit(const GraphNode& node, const FloatWhere& op);
  Wire choose(const GraphNode& node, const Tensor& mask);
  void emit(const GraphNode& node, const FloatUpsample2D& op);
  std::vector<std::string> resize_inputs(const GraphNode& node, const UpsampleFactor& factor);
  void emit(const GraphNode& node, const FloatConv2D& op);
  void emit(const GraphNode& node, const FloatDense& op);
  void emit(const GraphNode& node, const FloatBatchNorm& op);
  void emit(const GraphNode& node, const FloatNormalize& op);
  void emit(const GraphNode& node, const FloatLayerNorm& op);
  void emit(const GraphNode& node, const FloatAveragePool2D& op);
  void emit(const GraphNode& node, const FloatGlobalAveragePool2D& op);
  void emit(const GraphNode& node, const FloatClamp& op);
  void emit(const GraphNode& node, const FloatElementwise& op);
  void emit(const GraphNode& node, const FloatSoftmax& op);
  void emit(const GraphNode& node, const FloatAdd& op);
  void emit(const GraphNode& node, const FloatConcat& op);
  std::vector<std::string> real_inputs(const GraphNode& node);

  const InferenceGraph& graph_;
  const OnnxOptions options_;
  Model model_;
  Builder builder_{model_};
  std::vector<std::string> codes_, reals_;                  ///< by tensor number; empty until there
  std::vector<std::pair<std::string, std::string>> grids_;  ///< names of scale and zero point
};

}  // namespace bitgrad::onnx
