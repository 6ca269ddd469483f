// Integer inference on float images.
#pragma once

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::cli {

/// Runs a graph from codes to codes: float images become codes on the graph's first grid, the rest is integers. The
/// graph must outlive the engine.
class IntegerEngine {
 public:
  /// NotImplementedError for a graph that quantizes nothing.
  explicit IntegerEngine(const InferenceGraph& graph);
  /// float32 [batch, input shape] to float32 [batch, output shape].
  Tensor run(const Tensor& images) const;

 private:
  const InferenceGraph& graph_;
  InferenceGraph head_;  // up to the first codes
};

}  // namespace bitgrad::cli
