// Every layer of a model, one at a time, in its own training arithmetic.
#pragma once

#include <vector>

#include <bitgrad/qat/inference/verify.hpp>

namespace bitgrad::inference {

/// Runs the model's layers in evaluation mode over batches. Wherever the model quantizes an activation it compares the
/// codes with those of the graph, then goes on with the graph's: differences do not add up from layer to layer.
class TrainingForward {
 public:
  TrainingForward(Model& model, const InferenceGraph& graph);

  /// x float32 [batch, input shape]; `values` are all tensors of the graph for it, as run_all() gives them.
  void compare(const Tensor& x, const std::vector<Tensor>& values);
  /// One entry per activation quantizer of the model, in execution order.
  const std::vector<LayerAgreement>& agreements() const { return agreements_; }

 private:
  void compare_codes(LayerAgreement& agreement, const Tensor& found, const Tensor& expected);

  Model& model_;
  const InferenceGraph& graph_;
  std::vector<int> tensors_;  ///< by node of the model: the graph's tensor of its codes, or -1
  std::vector<LayerAgreement> agreements_;
};

}  // namespace bitgrad::inference
