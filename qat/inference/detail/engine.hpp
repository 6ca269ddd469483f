// Engines on tensors: one traversal, one set of rules, two carriers of codes. IntegerProgram (program.hpp) is the fast
// one; this one computes what that leaves out, and carries codes as float32 where those are asked for.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/core/kernels/integer.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/detail/rules.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// The weights of an integer layer, ready for products.
struct PreparedLayer {
  Index k = 0, out = 0;
  std::vector<std::int32_t> centred;            ///< [k, out]
  std::vector<float> centred_float;             ///< the same, where float32 products are exact
  std::vector<std::pair<Index, Index>> blocks;  ///< stretches of k whose float32 sums are exact; empty: int32 products

  std::vector<FixedPoint> fixed;                    ///< multipliers, in modes that compute with them
  std::optional<kernels::Int32Conv2D> convolution;  ///< packed; without blocks, of a convolution

  /// Without `float_products` integers are all there is.
  PreparedLayer(const IntegerWeights& weights, const Grid& input, bool float_products);
  /// accumulators [rows, out] += matrix [rows, k] * weights, exactly, by float32 products.
  void add_products(Index rows, const float* matrix, std::int32_t* accumulators) const;
};

/// Runs single nodes on batches. T = float: codes ride through BLAS products that are exact by their bounds. T =
/// std::int32_t: integers throughout.
template <class T>
class Engine {
 public:
  /// For all nodes of the graph, or for these only.
  explicit Engine(const InferenceGraph& graph);
  Engine(const InferenceGraph& graph, std::span<const std::size_t> nodes);

  /// Codes go in and come out centred (rules.hpp), other tensors as float32. `sample` is the number of the batch's
  /// first sample, for messages.
  Tensor run_node(std::size_t node, std::span<const Tensor> inputs, Index sample) const;

  /// Between the engine's codes and those of the outside, int32.
  Tensor import_codes(int tensor, const Tensor& codes, Index sample) const;
  static void export_codes(const Grid& grid, const Tensor& codes, std::int32_t* to);

 private:
  Tensor convolve(const GraphNode& node, const IntegerConv2D& op, const PreparedLayer& layer, const Tensor& x) const;
  void convolve_in_blocks(const Conv2DGeometry& g, const IntegerConv2D& op, const PreparedLayer& layer, const Tensor& x,
                          const GraphTensor& output, Tensor& y) const;
  Tensor multiply(const GraphNode& node, const IntegerDense& op, const PreparedLayer& layer, const Tensor& x) const;
  void finish(const IntegerWeights& weights, const PreparedLayer& layer, const GraphTensor& output, Index rows,
              const std::int32_t* accumulators, Index at, Tensor& y) const;

  void prepare(std::size_t node);

  const InferenceGraph& graph_;
  std::vector<std::unique_ptr<PreparedLayer>> layers_;  ///< by node number
};

}  // namespace bitgrad::inference
