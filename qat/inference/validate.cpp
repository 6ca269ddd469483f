// InferenceGraph::validate(): nothing that passes can make an engine read outside of an array.
#include <bitgrad/qat/inference/graph.hpp>

#include <algorithm>
#include <set>

#include <bitgrad/qat/inference/detail/check_node.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad {
namespace inference {
namespace {

void check_tensors(const InferenceGraph& graph) {
  std::set<std::string_view> names;
  for (const GraphTensor& tensor : graph.tensors) {
    if (tensor.name.empty() || !names.insert(tensor.name).second)
      fail<ValueError>("graph: tensor name \"", tensor.name, "\" is empty or used twice");
    double elements = 1;
    for (const Index extent : tensor.shape.extents()) {
      elements *= static_cast<double>(extent);
      if (extent < 1 || extent > most_extent || elements > static_cast<double>(most_elements))
        fail<ShapeError>("graph tensor \"", tensor.name, "\" has shape ", tensor.shape, ", expected extents of 1 to ",
                         most_extent, " and at most ", most_elements, " elements");
    }
    if (!tensor.grid) continue;
    validate(*tensor.grid, message("graph tensor \"", tensor.name, "\""));
    const Grid& grid = *tensor.grid;
    if (grid.per_channel() || grid.zero_point[0] < grid.lo || grid.zero_point[0] > grid.hi)
      fail<ValueError>("graph tensor \"", tensor.name, "\": expected one scale and a zero point among the codes, got ",
                       grid);
  }
}

/// Every node reads tensors that are there by then, and writes one of its own.
void check_order(const InferenceGraph& graph) {
  const int count = static_cast<int>(graph.tensors.size());
  const auto exists = [&](int t) { return t >= 0 && t < count; };
  if (!exists(graph.input) || !exists(graph.output))
    fail<ValueError>("graph: input is tensor ", graph.input, " and output ", graph.output, " of ", count);
  if (graph.tensors[static_cast<std::size_t>(graph.input)].grid)
    fail<ValueError>("graph: the input has a grid, expected float32");
  std::vector<char> written(graph.tensors.size(), 0);
  written[static_cast<std::size_t>(graph.input)] = 1;
  std::set<std::string_view> names;
  for (const GraphNode& node : graph.nodes) {
    if (node.name.empty() || !names.insert(node.name).second)
      fail<ValueError>("graph: node name \"", node.name, "\" is empty or used twice");
    if (node.inputs.empty()) fail<ValueError>("graph node \"", node.name, "\" reads nothing");
    for (const int input : node.inputs)
      if (!exists(input) || !written[static_cast<std::size_t>(input)])
        fail<ValueError>("graph node \"", node.name, "\" reads tensor ", input, ", which no earlier node writes");
    if (!exists(node.output) || written[static_cast<std::size_t>(node.output)])
      fail<ValueError>("graph node \"", node.name, "\" writes tensor ", node.output,
                       ", which does not exist or is written already");
    written[static_cast<std::size_t>(node.output)] = 1;
  }
  const auto missing = std::ranges::find(written, 0);
  if (missing != written.end())
    fail<ValueError>("graph: no node writes tensor \"",
                     graph.tensors[static_cast<std::size_t>(missing - written.begin())].name, "\"");
}

/// Nodes that the output does not depend on would count in sizes and costs, and be left out of exported files.
void check_needed(const InferenceGraph& graph) {
  std::vector<char> needed(graph.tensors.size(), 0);
  needed[static_cast<std::size_t>(graph.output)] = 1;
  const GraphNode* idle = nullptr;  // the first in order of execution
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!needed[static_cast<std::size_t>(node->output)]) {
      idle = &*node;
      continue;
    }
    for (const int input : node->inputs) needed[static_cast<std::size_t>(input)] = 1;
  }
  if (idle) fail<ValueError>("graph node \"", idle->name, "\": nothing that the output depends on reads it");
}

}  // namespace
}  // namespace inference

void InferenceGraph::validate() const {
  name_of(mode);  // refuses numbers that are no mode
  inference::check_tensors(*this);
  inference::check_order(*this);
  for (const GraphNode& node : nodes) inference::check_node(*this, node);
  inference::check_needed(*this);
  inference::check_mode(*this);
}

}  // namespace bitgrad
