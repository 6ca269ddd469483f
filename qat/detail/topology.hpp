// A float model seen by the rules of quantization-aware training: who has a kernel, who is first and last, where values
// come from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/analysis.hpp>

namespace bitgrad::qat {

/// The model's input among the producers of tensors; as node number -1.
inline constexpr std::string_view model_input = "input";

class Topology {
 public:
  /// The model must be built and outlive the topology.
  explicit Topology(const Model& model);

  bool has_kernel(std::size_t node) const { return kernels_[node]; }
  bool arithmetic(std::size_t node) const { return analysis_[node].kind == LayerKind::arithmetic; }
  /// Nothing that a batch of values in [0, 1] passes through can be negative.
  bool nonnegative(int node) const { return node < 0 || analysis_[static_cast<std::size_t>(node)].nonnegative; }

  /// Where the values of a node's output were computed: back through layers that only move data. -1: the model's input.
  int producer(int node) const;
  /// The nodes whose result the output of `node` is, beginning with itself: back through batch normalisation, clamps
  /// and moves that alone read what is before them, to the layer that computes.
  std::vector<std::size_t> computed_by(std::size_t node) const;

  /// Layers with a kernel before which there is no other, or after which there is none.
  std::vector<bool> first() const;
  std::vector<bool> last() const;

  std::size_t size() const { return kernels_.size(); }
  const Model::Node& node(std::size_t number) const { return model_.nodes()[number]; }
  std::string name(int node) const {
    return node < 0 ? std::string(model_input) : model_.nodes()[static_cast<std::size_t>(node)].name;
  }

 private:
  int readers(int node) const;

  const Model& model_;
  std::vector<LayerAnalysis> analysis_;
  std::vector<bool> kernels_;
};

}  // namespace bitgrad::qat
