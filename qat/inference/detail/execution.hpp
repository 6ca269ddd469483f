// Runs the nodes of a graph over a batch, slice by slice.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// Samples that go through the whole graph together: their tensors stay in the cache, and slices are the threads' work.
inline constexpr Index slice_samples = 16;

/// Dtype in which run_all() hands a tensor over.
inline DType result_dtype(const GraphTensor& tensor) { return tensor.grid ? DType::int32 : DType::float32; }

/// Which tensors of the graph the caller wants, and from which one it starts.
struct Execution {
  const InferenceGraph& graph;
  int start;                 ///< tensor number of x
  std::vector<char> wanted;  ///< by tensor number

  Execution(const InferenceGraph& g, int start_tensor, bool all)
      : graph(g), start(start_tensor), wanted(g.tensors.size(), all ? 1 : 0) {
    wanted[static_cast<std::size_t>(g.output)] = 1;
  }
};

/// Cuts x [batch, ...] into slices and calls, for every slice and in execution order,
///   run_node(number of the node, its input tensors) -> output tensor     for nodes whose inputs are there, and
///   store(tensor number, value of the slice, rows of the result)         for every wanted tensor.
/// Results [batch, shape...] have result_dtype() and exist for wanted tensors that were reached; undefined otherwise.
template <class Load, class RunNode, class Store>
std::vector<Tensor> execute(const Execution& execution, const Tensor& x, Load&& load, RunNode&& run_node,
                            Store&& store) {
  const InferenceGraph& graph = execution.graph;
  const std::size_t count = graph.tensors.size();
  std::vector<char> reached(count, 0);
  std::vector<std::size_t> last_use(count, 0);
  std::vector<std::size_t> steps;
  reached[static_cast<std::size_t>(execution.start)] = 1;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const GraphNode& node = graph.nodes[n];
    const auto is_reached = [&](int i) { return reached[static_cast<std::size_t>(i)] != 0; };
    if (!std::ranges::all_of(node.inputs, is_reached) || is_reached(node.output)) continue;
    reached[static_cast<std::size_t>(node.output)] = 1;
    for (const int input : node.inputs) last_use[static_cast<std::size_t>(input)] = n;
    steps.push_back(n);
  }

  const Index batch = x.dim(0);
  std::vector<Tensor> results(count);
  for (std::size_t t = 0; t < count; ++t)
    if (reached[t] && execution.wanted[t])
      results[t] = Tensor(graph.tensors[t].shape.prepended(batch), result_dtype(graph.tensors[t]));

  parallel_for(batch, slice_samples, [&](Index begin, Index end) {
    std::vector<Tensor> values(count);
    const auto keep = [&](int number, Tensor value) {
      const std::size_t t = static_cast<std::size_t>(number);
      if (results[t].defined()) {
        Tensor rows = results[t].rows(begin, end);
        store(number, value, rows);
      }
      values[t] = std::move(value);
    };
    keep(execution.start, load(x.rows(begin, end), begin));
    for (const std::size_t n : steps) {
      const GraphNode& node = graph.nodes[n];
      std::vector<Tensor> inputs;
      for (const int input : node.inputs) inputs.push_back(values[static_cast<std::size_t>(input)]);
      keep(node.output, run_node(n, std::span<const Tensor>(inputs), begin));
      for (const int input : node.inputs)
        if (last_use[static_cast<std::size_t>(input)] == n) values[static_cast<std::size_t>(input)] = Tensor();
    }
  });
  return results;
}

/// Throws ShapeError unless x is [batch, shape...] of the dtype.
void check_batch(const Tensor& x, const Shape& shape, DType dtype, std::string_view what);

}  // namespace bitgrad::inference
