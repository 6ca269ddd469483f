#include <bitgrad/qat/inference/detail/likely_cause.hpp>

#include <algorithm>
#include <bit>
#include <utility>

#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/qat/inference/detail/graph_fields.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::inference {
namespace {

/// An IO of graph_fields.hpp that keeps every field as text.
struct FieldTexts {
  std::vector<std::pair<std::string, std::string>> fields = {};

  void add(const char* key, std::string text) { fields.emplace_back(key, std::move(text)); }
  static std::string text_of(float value) { return message(std::bit_cast<std::uint32_t>(value)); }
  static std::string text_of(const Tensor& tensor) {
    if (!tensor.defined()) return "";
    return message(tensor.dtype(), tensor.shape()) +
           std::string(reinterpret_cast<const char*>(tensor.bytes()), static_cast<std::size_t>(tensor.byte_size()));
  }
  static std::string text_of(const std::vector<float>& values) {
    std::string text;
    for (const float value : values) text += text_of(value) + ' ';
    return text;
  }
  static std::string text_of(const Padding& p) {
    return message(static_cast<int>(p.kind), ' ', p.top, ' ', p.bottom, ' ', p.left, ' ', p.right);
  }
  static std::string text_of(const std::string& text) { return text; }
  static std::string text_of(ElementwiseFunction function) { return message(static_cast<int>(function)); }
  static std::string text_of(bool value) { return value ? "true" : "false"; }
  static std::string text_of(int value) { return message(value); }

  template <class T>
  void operator()(const char* key, const T& value) {
    add(key, text_of(value));
  }
  template <class T>
  void operator()(const char* key, T first, T second) {
    add(key, message(first, ' ', second));
  }
  void optional(const char* key, const Tensor& tensor) { add(key, text_of(tensor)); }
  void codes(const char* key, const Tensor& tensor, const Grid&) { add(key, text_of(tensor)); }
  void weight_grid(const char*, const Grid& grid) {
    add("grid", message(grid.bits, ' ', grid.lo, ' ', grid.hi));
    add("scale", text_of(grid.scale));
    std::string zeros;
    for (const std::int32_t zero : grid.zero_point) zeros += message(zero, ' ');
    add("zero_point", zeros);
  }
  template <class... T>
  void unless_one(const char* key, T... values) {
    std::string text;
    ((text += message(values, ' ')), ...);
    add(key, text);
  }
};

std::vector<std::pair<std::string, std::string>> texts_of(const GraphNode& node) {
  FieldTexts io;
  GraphOperation operation = node.operation;  // fields() is for readers as well, which write into it
  std::visit([&](auto& op) { fields(io, op); }, operation);
  return io.fields;
}

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

std::vector<std::string> differing_fields(const GraphNode& a, const GraphNode& b) {
  if (a.operation.index() != b.operation.index()) return {"operation"};
  const auto ours = texts_of(a), theirs = texts_of(b);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i)
    if (ours[i] != theirs[i]) names.push_back(ours[i].first);
  return names;
}

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
