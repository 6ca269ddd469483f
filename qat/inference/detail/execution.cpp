#include <bitgrad/qat/inference/detail/execution.hpp>

#include <algorithm>

namespace bitgrad::inference {

Execution::Execution(const InferenceGraph& graph, int start_tensor)
    : start(start_tensor), reached(graph.tensors.size(), 0), last_use(graph.tensors.size(), 0) {
  const auto is_reached = [&](int tensor) { return reached[static_cast<std::size_t>(tensor)] != 0; };
  reached[static_cast<std::size_t>(start)] = 1;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    const GraphNode& node = graph.nodes[n];
    if (!std::ranges::all_of(node.inputs, is_reached) || is_reached(node.output)) continue;
    reached[static_cast<std::size_t>(node.output)] = 1;
    for (const int input : node.inputs) last_use[static_cast<std::size_t>(input)] = n;
    steps.push_back(n);
  }
}

std::vector<Tensor> make_results(const InferenceGraph& graph, const Execution& execution, Index batch, bool all) {
  std::vector<Tensor> results(graph.tensors.size());
  for (std::size_t t = 0; t < results.size(); ++t)
    if (execution.reached[t] && (all || static_cast<int>(t) == graph.output))
      results[t] = Tensor(graph.tensors[t].shape.prepended(batch), result_dtype(graph.tensors[t]));
  return results;
}

void check_batch(const Tensor& x, const Shape& shape, DType dtype, std::string_view what) {
  if (!x.defined()) fail<ShapeError>(what, ": the input is undefined");
  if (x.dtype() != dtype) fail<ShapeError>(what, ": the input is ", x.dtype(), ", expected ", dtype);
  if (x.rank() != shape.rank() + 1 || x.shape().without_front() != shape)
    fail<ShapeError>(what, ": the input has shape ", x.shape(), ", expected a batch of ", shape);
}

}  // namespace bitgrad::inference
