// Runs the nodes of a graph over a batch, slice by slice.
#pragma once

#include <span>
#include <vector>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// Samples that go through the whole graph together: their tensors stay in the cache, and slices are the threads' work.
inline constexpr Index slice_samples = 16;

/// Dtype in which run_all() hands a tensor over.
inline DType result_dtype(const GraphTensor& tensor) { return tensor.grid ? DType::int32 : DType::float32; }

/// What is computed from a tensor on: which tensors are reached, and by which nodes.
struct Execution {
  int start;                          ///< tensor number of x
  std::vector<char> reached;          ///< by tensor number
  std::vector<std::size_t> steps;     ///< nodes whose inputs are there, in execution order
  std::vector<std::size_t> last_use;  ///< by tensor number: the last node that reads it

  Execution(const InferenceGraph& graph, int start_tensor);
};

/// Results [batch, shape...] of result_dtype() for tensors that are reached and wanted: all, or only the graph's
/// output. Undefined otherwise.
std::vector<Tensor> make_results(const InferenceGraph& graph, const Execution& execution, Index batch, bool all);

/// Cuts x [batch, ...] into slices and calls, for every slice and in execution order,
///   load(rows of x, number of the first) -> value of the first tensor,
///   run_node(number of the node, its input tensors, number of the first sample) -> output tensor, and
///   store(tensor number, value of the slice, rows of the result)         for every wanted tensor.
template <class Load, class RunNode, class Store>
std::vector<Tensor> execute(const InferenceGraph& graph, const Execution& execution, const Tensor& x, bool all,
                            Load&& load, RunNode&& run_node, Store&& store) {
  const std::vector<Tensor> results = make_results(graph, execution, x.dim(0), all);
  parallel_for(x.dim(0), slice_samples, [&](Index begin, Index end) {
    std::vector<Tensor> values(results.size());
    const auto keep = [&](int number, Tensor value) {
      const std::size_t t = static_cast<std::size_t>(number);
      if (results[t].defined()) {
        Tensor rows = results[t].rows(begin, end);
        store(number, value, rows);
      }
      values[t] = std::move(value);
    };
    keep(execution.start, load(x.rows(begin, end), begin));
    for (const std::size_t n : execution.steps) {
      const GraphNode& node = graph.nodes[n];
      std::vector<Tensor> inputs;
      for (const int input : node.inputs) inputs.push_back(values[static_cast<std::size_t>(input)]);
      keep(node.output, run_node(n, std::span<const Tensor>(inputs), begin));
      for (const int input : node.inputs)
        if (execution.last_use[static_cast<std::size_t>(input)] == n)
          values[static_cast<std::size_t>(input)] = Tensor();
    }
  });
  return results;
}

/// Throws ShapeError unless x is [batch, shape...] of the dtype.
void check_batch(const Tensor& x, const Shape& shape, DType dtype, std::string_view what);

}  // namespace bitgrad::inference
