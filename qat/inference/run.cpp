// InferenceGraph's run functions.
#include <bitgrad/qat/inference/graph.hpp>

#include <algorithm>

#include <bitgrad/qat/inference/detail/engine.hpp>
#include <bitgrad/qat/inference/detail/execution.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>

namespace bitgrad {
namespace inference {

void check_batch(const Tensor& x, const Shape& shape, DType dtype, std::string_view what) {
  if (!x.defined()) fail<ShapeError>(what, ": the input is undefined");
  if (x.dtype() != dtype) fail<ShapeError>(what, ": the input is ", x.dtype(), ", expected ", dtype);
  if (x.rank() != shape.rank() + 1 || x.shape().without_front() != shape)
    fail<ShapeError>(what, ": the input has shape ", x.shape(), ", expected a batch of ", shape);
}

namespace {

template <class T>
std::vector<Tensor> execute_with(const Execution& execution, const Tensor& x) {
  const InferenceGraph& graph = execution.graph;
  const Engine<T> engine(graph);
  const auto load = [&](const Tensor& rows, Index sample) {
    return rows.dtype() == DType::int32 ? engine.import_codes(execution.start, rows, sample) : rows;
  };
  const auto run_node = [&](std::size_t node, std::span<const Tensor> inputs, Index sample) {
    return engine.run_node(node, inputs, sample);
  };
  const auto store = [&](int tensor, const Tensor& value, Tensor& rows) {
    const std::optional<Grid>& grid = graph.tensors[static_cast<std::size_t>(tensor)].grid;
    if (grid)
      Engine<T>::export_codes(*grid, value, rows.data<std::int32_t>());
    else
      rows.copy_from(value);
  };
  return execute(execution, x, load, run_node, store);
}

/// Throws NotImplementedError naming the first layer that keeps `start` from being enough: one in float32 between
/// codes, or one that reads the float32 input past it.
void require_integers(const InferenceGraph& graph, int start) {
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  std::vector<char> needed(graph.tensors.size(), 0), reached(graph.tensors.size(), 0);
  std::vector<const GraphNode*> first_float(graph.tensors.size(), nullptr);  // on the way to a tensor
  needed[at(graph.output)] = 1;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
    if (needed[at(node->output)] && node->output != start)
      for (const int input : node->inputs) needed[at(input)] = 1;
  reached[at(start)] = 1;
  for (const GraphNode& node : graph.nodes) {
    if (!needed[at(node.output)] || node.output == start) continue;
    const GraphNode*& culprit = first_float[at(node.output)];
    bool reachable = true;
    for (const int input : node.inputs) {
      if (!culprit) culprit = first_float[at(input)];
      reachable = reachable && reached[at(input)];
    }
    if (!culprit && is_float_operation(node.operation)) culprit = &node;
    const bool back_to_codes = std::holds_alternative<QuantizeOp>(node.operation);
    if (!reachable || back_to_codes)
      fail<NotImplementedError>("run_integer: layer \"", (culprit ? *culprit : node).name, "\" (",
                                name_of((culprit ? *culprit : node).operation),
                                ") is left in float32 before the output");
    reached[at(node.output)] = 1;
  }
}

std::vector<Tensor> run_on_codes(const InferenceGraph& graph, const Tensor& codes, bool all) {
  const int start = graph.integer_input();
  require_integers(graph, start);
  check_batch(codes, graph.tensors[static_cast<std::size_t>(start)].shape, DType::int32, "run_integer");
  return execute_with<std::int32_t>(Execution(graph, start, all), codes);
}

}  // namespace
}  // namespace inference

int InferenceGraph::integer_input() const {
  for (const GraphNode& node : nodes)
    if (std::holds_alternative<QuantizeOp>(node.operation)) return node.output;
  fail<NotImplementedError>("run_integer: the graph quantizes nothing; all of its layers are left in float32");
}

Tensor InferenceGraph::run(const Tensor& x) const {
  inference::check_batch(x, tensors[static_cast<std::size_t>(input)].shape, DType::float32, "run");
  const Tensor result = inference::execute_with<float>({*this, input, false}, x)[static_cast<std::size_t>(output)];
  const std::optional<Grid>& grid = tensors[static_cast<std::size_t>(output)].grid;
  return grid ? values_of(result, *grid) : result;
}

std::vector<Tensor> InferenceGraph::run_all(const Tensor& x) const {
  inference::check_batch(x, tensors[static_cast<std::size_t>(input)].shape, DType::float32, "run_all");
  return inference::execute_with<float>({*this, input, true}, x);
}

Tensor InferenceGraph::run_integer(const Tensor& input_codes) const {
  return inference::run_on_codes(*this, input_codes, false)[static_cast<std::size_t>(output)];
}

std::vector<Tensor> InferenceGraph::run_integer_all(const Tensor& input_codes) const {
  return inference::run_on_codes(*this, input_codes, true);
}

}  // namespace bitgrad
