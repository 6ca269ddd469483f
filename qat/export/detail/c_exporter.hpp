// An inference graph as C text.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/qat/export/c_header.hpp>
#include <bitgrad/qat/export/detail/c_text.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>

namespace bitgrad::c {

/// Codes are uint8 and count from the lowest of their grid, inside of the header as well as in its tables.
class Exporter {
 public:
  Exporter(const InferenceGraph& graph, const CHeaderOptions& options);
  std::string run();

 private:
  // ---- the frame: c_exporter.cpp ----
  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  Index input_size() const { return tensor(input_).shape.size(); }
  Index output_size() const { return tensor(graph_.output).shape.size(); }
  bool codes_out() const { return tensor(graph_.output).grid.has_value(); }
  const char* code_type(int t) const { return tensor(t).grid->is_signed() ? "int8_t" : "uint8_t"; }
  const char* result_type() const { return codes_out() ? code_type(graph_.output) : "uint32_t"; }

  void check_tensor(int t) const;
  [[noreturn]] void refuse_float(const GraphNode& node) const;
  void find_steps();
  void place_tensors();
  /// Whether the caller's codes are read where they are: they count from 0 already.
  bool reads_input_in_place() const { return tensor(input_).grid->lo == 0; }
  /// The expression of a tensor's codes.
  std::string at(int t) const;
  std::string byte_account() const;
  std::string heading() const;
  std::string input_rule() const;
  std::string float_rule(int value) const;
  std::string run_function() const;
  std::string self_test_function() const;

  // ---- operations: c_operations.cpp ----
  std::int32_t zero(int t) const { return tensor(t).grid->zero_point[0] - tensor(t).grid->lo; }
  /// "zero, lowest, highest" of what a node writes.
  std::string limits(const GraphNode& node, std::int32_t lo, std::int32_t hi) const;
  std::string bits_of(float value, const GraphNode& node, const char* what) const;
  std::string table_of(const GraphNode& node, const std::vector<std::uint8_t>& codes);
  /// The first fields of @_average and @_window.
  static std::string window_fields(const Pool2DGeometry& g);
  void emit(const GraphNode& node);
  void need_layer(const GraphNode& node, const IntegerWeights& weights, const Conv2DGeometry& geometry);
  void emit_layer(const GraphNode& node, const IntegerWeights& weights, const Conv2DGeometry& geometry);
  struct Multipliers {
    std::vector<std::uint32_t> values;
    std::vector<std::int8_t> shifts;  ///< of fixed point
  };
  Multipliers multipliers_of(const GraphNode& node, const IntegerWeights& weights) const;
  std::string_view need_multiply(inference::Rounding kind);
  static std::string fixed(const inference::FixedPoint& multiplier);
  /// In modes other than ort.
  void emit_in_mode(const GraphNode& node, const IntegerAdd& op);
  void emit_in_mode(const GraphNode& node, const IntegerGlobalAveragePool2D& op);
  void emit_in_mode(const GraphNode& node, const IntegerAveragePool2D& op);
  std::vector<std::uint8_t> zero_points(const GraphNode& node, const IntegerWeights& weights) const;
  std::vector<std::uint8_t> packed(const IntegerWeights& weights);
  void emit(const GraphNode& node, const IntegerAdd& op);
  void emit(const GraphNode& node, const IntegerConcat& op);
  void emit(const GraphNode& node, const IntegerAveragePool2D& op);
  void emit(const GraphNode& node, const IntegerGlobalAveragePool2D& op);
  void emit(const GraphNode& node, const IntegerTable& op);
  void emit(const GraphNode& node, const MaxPool2DOp& op);
  void emit(const GraphNode& node, const Pad2DOp& op);
  void emit(const GraphNode& node, const Upsample2DOp& op);
  void emit(const GraphNode& node, const InsertZeros2DOp& op);

  const InferenceGraph& graph_;
  const CHeaderOptions& options_;
  int input_;  ///< the quantized input
  std::vector<const GraphNode*> steps_;
  std::vector<int> storage_;    ///< tensor whose bytes a tensor shares: itself, or the source of a reshape
  std::vector<Index> offsets_;  ///< of storages; -1: not in the arena
  Index arena_bytes_ = 0, weight_bytes_ = 0, shift_bytes_ = 0, other_bytes_ = 0;
  Index kernel_size_ = 0;  ///< of the largest convolution: weights of one output channel
  Text text_;
};

}  // namespace bitgrad::c
