#include <bitgrad/qat/inference/detail/likely_cause.hpp>

#include <algorithm>
#include <optional>
#include <vector>

#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::inference {
namespace {

const GraphNode* writer_of(const InferenceGraph& graph, const std::string& tensor) {
  const auto writes = [&](const GraphNode& node) {
    return graph.tensors[static_cast<std::size_t>(node.output)].name == tensor;
  };
  const auto found = std::ranges::find_if(graph.nodes, writes);
  return found == graph.nodes.end() ? nullptr : &*found;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Where the graph's own engines agree.
std::string difference_of_model(const InferenceGraph& live, const GraphNode& node, const GraphTensor& tensor) {
  const GraphNode* const lived = writer_of(live, tensor.name);
  if (!lived) return "no node of the model writes that tensor: the graph is of another model";
  std::vector<std::string> differing = differing_fields(node, *lived);
  const std::optional<Grid>& grid = live.tensors[static_cast<std::size_t>(lived->output)].grid;
  if (grid.has_value() != tensor.grid.has_value() || (grid && !(*grid == *tensor.grid)))
    differing.insert(differing.begin(), "output grid");
  if (differing.empty())
    return message("node \"", node.name,
                   "\" has the same numbers in the model and in the graph: evaluation follows another rule there");
  return message("node \"", node.name, "\" of the graph has not the model's ", joined(differing),
                 ": the model was trained on, or the file changed, after the graph was made");
}

}  // namespace

std::string likely_cause(const InferenceGraph& graph, const InferenceGraph* live, int tensor,
                         const std::set<std::string>& executors) {
  const GraphTensor& differs = graph.tensors[static_cast<std::size_t>(tensor)];
  const GraphNode* const node = writer_of(graph, differs.name);
  if (!node) return "no node writes that tensor";
  if (live && executors == std::set<std::string>{"evaluate"}) return difference_of_model(*live, *node, differs);
  const std::string where = message(name_of(node->operation), " \"", node->name, "\" in mode ", name_of(graph.mode));
  std::set<std::string> engines = executors;
  engines.erase("evaluate");  // which has the kernels of an engine
  if (engines.size() == 1)
    return message("only the ", *engines.begin(), " differs: its kernels for ", where, ", instruction set ",
                   kernels::name_of(kernels::active_isa()), " (BITGRAD_ISA=base has others)");
  return message("both engines differ from the naive executor: they do not follow the same rule for ", where);
}

}  // namespace bitgrad::inference
