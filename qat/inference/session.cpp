#include <bitgrad/qat/inference/session.hpp>

#include <algorithm>
#include <optional>
#include <string>

#include <bitgrad/qat/inference/detail/engine.hpp>
#include <bitgrad/qat/inference/detail/execution.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <bitgrad/qat/inference/detail/program.hpp>

namespace bitgrad {
namespace inference {
namespace {

std::vector<Tensor> execute_with(const InferenceGraph& graph, const Engine<float>& engine, const Execution& execution,
                                 const Tensor& x, bool all) {
  const auto load = [&](const Tensor& rows, Index sample) {
    return rows.dtype() == DType::int32 ? engine.import_codes(execution.start, rows, sample) : rows;
  };
  const auto run_node = [&](std::size_t node, std::span<const Tensor> inputs, Index sample) {
    return engine.run_node(node, inputs, sample);
  };
  const auto store = [&](int tensor, const Tensor& value, Tensor& rows) {
    const std::optional<Grid>& grid = graph.tensors[static_cast<std::size_t>(tensor)].grid;
    if (grid)
      Engine<float>::export_codes(*grid, value, rows.data<std::int32_t>());
    else
      rows.copy_from(value);
  };
  return execute(graph, execution, x, all, load, run_node, store);
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

bool quantizes(const InferenceGraph& graph) {
  return std::ranges::any_of(graph.nodes,
                             [](const GraphNode& node) { return std::holds_alternative<QuantizeOp>(node.operation); });
}

}  // namespace
}  // namespace inference

std::string_view name_of(InferenceEngine engine) { return engine == InferenceEngine::integer ? "integer" : "float"; }

struct InferenceSession::Prepared {
  InferenceGraph graph;
  inference::Execution from_input;
  std::optional<inference::Execution> from_codes;
  std::string no_codes;  ///< why run_integer() is refused, without from_codes
  std::optional<inference::IntegerProgram> program;
  std::optional<inference::Engine<float>> engine;  ///< one of the two

  Prepared(const InferenceGraph& source, InferenceEngine kind) : graph(source), from_input(graph, graph.input) {
    inference::check_mode(graph);                                         // `mode` is a public field
    if (kind == InferenceEngine::integer && inference::quantizes(graph))  // floats alone ride best as tensors
      program.emplace(graph);
    else
      engine.emplace(graph);
    try {
      const int start = graph.integer_input();
      inference::require_integers(graph, start);
      from_codes.emplace(graph, start);
    } catch (const NotImplementedError& error) {
      no_codes = error.what();
    }
  }

  std::vector<Tensor> run(const Tensor& x, bool all, std::string_view what) const {
    inference::check_batch(x, graph.tensors[static_cast<std::size_t>(graph.input)].shape, DType::float32, what);
    return execute(from_input, x, all);
  }
  std::vector<Tensor> run_on_codes(const Tensor& codes, bool all) const {
    if (!from_codes) fail<NotImplementedError>(no_codes);
    const Shape& shape = graph.tensors[static_cast<std::size_t>(from_codes->start)].shape;
    inference::check_batch(codes, shape, DType::int32, "run_integer");
    return execute(*from_codes, codes, all);
  }

 private:
  std::vector<Tensor> execute(const inference::Execution& execution, const Tensor& x, bool all) const {
    return program ? program->run(execution, x, all) : inference::execute_with(graph, *engine, execution, x, all);
  }
};

InferenceSession::InferenceSession(const InferenceGraph& graph, InferenceEngine engine)
    : prepared_(std::make_shared<const Prepared>(graph, engine)) {}

const InferenceGraph& InferenceSession::graph() const { return prepared_->graph; }

Tensor InferenceSession::run(const Tensor& x) const {
  const std::size_t output = static_cast<std::size_t>(graph().output);
  const Tensor result = prepared_->run(x, false, "run")[output];
  const std::optional<Grid>& grid = graph().tensors[output].grid;
  return grid ? values_of(result, *grid) : result;
}

std::vector<Tensor> InferenceSession::run_all(const Tensor& x) const { return prepared_->run(x, true, "run_all"); }

Tensor InferenceSession::run_integer(const Tensor& input_codes) const {
  return prepared_->run_on_codes(input_codes, false)[static_cast<std::size_t>(graph().output)];
}

std::vector<Tensor> InferenceSession::run_integer_all(const Tensor& input_codes) const {
  return prepared_->run_on_codes(input_codes, true);
}

int InferenceGraph::integer_input() const {
  for (const GraphNode& node : nodes)
    if (std::holds_alternative<QuantizeOp>(node.operation)) return node.output;
  fail<NotImplementedError>("run_integer: the graph quantizes nothing; all of its layers are left in float32");
}

Tensor InferenceGraph::run(const Tensor& x) const { return InferenceSession(*this).run(x); }

std::vector<Tensor> InferenceGraph::run_all(const Tensor& x) const { return InferenceSession(*this).run_all(x); }

Tensor InferenceGraph::run_integer(const Tensor& input_codes) const {
  return InferenceSession(*this).run_integer(input_codes);
}

std::vector<Tensor> InferenceGraph::run_integer_all(const Tensor& input_codes) const {
  return InferenceSession(*this).run_integer_all(input_codes);
}

}  // namespace bitgrad
