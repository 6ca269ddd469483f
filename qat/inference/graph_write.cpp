#include <cmath>
#include <nlohmann/json.hpp>

#include <bitgrad/qat/inference/detail/graph_fields.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::inference {
namespace {

// With float as its number type nlohmann_json writes the shortest text that reads back to the same float32.
using Json =
    nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t, std::uint64_t, float>;

Json padding_to_json(const Padding& padding) {
  if (padding.kind == Padding::Kind::valid) return "valid";
  if (padding.kind == Padding::Kind::same) return "same";
  return {padding.top, padding.bottom, padding.left, padding.right};
}

Json shape_to_json(const Shape& shape) {
  Json result = Json::array();
  for (const Index extent : shape.extents()) result.push_back(extent);
  return result;
}

/// JSON has no infinities; they become strings.
Json float_to_json(float value) {
  if (std::isfinite(value)) return value;
  if (std::isnan(value)) fail<ValueError>("graph: a NaN cannot be saved");
  return value > 0 ? "infinity" : "-infinity";
}

/// Codes in the smallest dtype that holds the grid.
Tensor narrow(const Tensor& codes, std::int32_t lo, std::int32_t hi) {
  if (lo >= -128 && hi <= 127) return codes.to(DType::int8);
  if (lo >= 0 && hi <= 255) return codes.to(DType::uint8);
  return codes;
}

/// Writes the fields of one node.
struct NodeWriter {
  const std::string& node;
  Json json = Json::object();
  NamedTensors arrays = {};

  void array(const char* key, Tensor tensor) { arrays.add(node + "." + key, std::move(tensor)); }

  void operator()(const char* key, const Tensor& tensor) { array(key, tensor); }
  void optional(const char* key, const Tensor& tensor) {
    if (tensor.defined()) array(key, tensor);
  }
  void operator()(const char* key, const std::vector<float>& values) {
    array(key, Tensor::from({static_cast<Index>(values.size())}, values));
  }
  void codes(const char* key, const Tensor& tensor, const Grid& grid) { array(key, narrow(tensor, grid.lo, grid.hi)); }
  void weight_grid(const char* key, const Grid& grid) {
    json[key] = {{"bits", grid.bits}, {"lo", grid.lo}, {"hi", grid.hi}, {"per_channel", grid.per_channel()}};
    const Shape count{static_cast<Index>(grid.scale.size())};
    array("scale", Tensor::from(count, grid.scale));
    array("zero_point", Tensor::from(count, grid.zero_point));
  }
  void operator()(const char* key, const Padding& padding) { json[key] = padding_to_json(padding); }
  void operator()(const char* key, const std::string& text) { json[key] = text; }
  void operator()(const char* key, ElementwiseFunction function) { json[key] = std::string(name_of(function)); }
  void operator()(const char* key, bool value) { json[key] = value; }
  void operator()(const char* key, int value) { json[key] = value; }
  void operator()(const char* key, float value) { json[key] = float_to_json(value); }
  template <class T>
  void operator()(const char* key, T first, T second) {
    json[key] = {first, second};
  }
  void unless_one(const char* key, Index value) {
    if (value != 1) json[key] = value;
  }
  void unless_one(const char* key, Index first, Index second) {
    if (first != 1 || second != 1) json[key] = {first, second};
  }
};

Json tensor_to_json(const GraphTensor& tensor) {
  Json result = {{"name", tensor.name}, {"shape", shape_to_json(tensor.shape)}};
  if (const std::optional<Grid>& grid = tensor.grid)
    result["grid"] = {{"bits", grid->bits},
                      {"lo", grid->lo},
                      {"hi", grid->hi},
                      {"scale", grid->scale[0]},
                      {"zero_point", grid->zero_point[0]}};
  return result;
}

NodeWriter write_fields(const GraphNode& node) {
  NodeWriter writer{.node = node.name};
  GraphOperation operation = node.operation;  // tensors are handles: nothing large is copied
  std::visit([&](auto& op) { fields(writer, op); }, operation);
  return writer;
}

Json node_to_json(const InferenceGraph& graph, const GraphNode& node) {
  const auto name = [&](int tensor) { return graph.tensors[static_cast<std::size_t>(tensor)].name; };
  Json result = {{"name", node.name}, {"operation", std::string(name_of(node.operation))}, {"inputs", Json::array()}};
  for (const int input : node.inputs) result["inputs"].push_back(name(input));
  result["output"] = name(node.output);
  result.update(write_fields(node).json);
  return result;
}

}  // namespace

std::vector<std::string> differing_fields(const GraphNode& a, const GraphNode& b) {
  if (a.operation.index() != b.operation.index()) return {"operation"};
  GraphNode other = b;
  other.name = a.name;  // which the names of the arrays begin with
  const NodeWriter ours = write_fields(a), theirs = write_fields(other);
  std::vector<std::string> names;
  Json keys = ours.json;
  keys.update(theirs.json);
  for (const auto& [key, value] : keys.items())
    if (ours.json.value(key, Json()) != theirs.json.value(key, Json())) names.push_back(key);
  NamedTensors arrays = ours.arrays;
  for (const auto& [name, tensor] : theirs.arrays)
    if (!arrays.find(name)) arrays.add(name, tensor);
  for (const auto& [name, tensor] : arrays) {
    const Tensor *our = ours.arrays.find(name), *their = theirs.arrays.find(name);
    if (!our || !their || !identical(*our, *their)) names.push_back(name.substr(a.name.size() + 1));
  }
  return names;
}

NamedTensors graph_arrays(const InferenceGraph& graph) {
  NamedTensors arrays;
  for (const GraphNode& node : graph.nodes)
    for (const auto& [name, tensor] : write_fields(node).arrays) arrays.add(name, tensor);
  return arrays;
}

std::string format_graph(const InferenceGraph& graph, const ArrayFile& file) try {
  std::string text = "{\n";
  const auto member = [&](std::string_view key, const Json& value, const char* end = ",\n") {
    text += message(" ", Json(std::string(key)).dump(), ": ", value.dump(), end);
  };
  const auto list = [&](std::string_view key, const std::vector<Json>& lines, const char* end) {  // one line each
    text += message(" ", Json(std::string(key)).dump(), ": [");
    for (std::size_t i = 0; i < lines.size(); ++i) text += message(i ? ",\n  " : "\n  ", lines[i].dump());
    text += message("\n ]", end);
  };
  const auto name = [&](int tensor) { return graph.tensors[static_cast<std::size_t>(tensor)].name; };
  member("format", std::string(graph_format));
  member("version", graph_version);
  member("requantization", std::string(name_of(graph.mode)));
  member("arrays", {{"bytes", file.bytes}, {"crc32", file.crc32}});
  member("metadata", graph.metadata);
  member("input", name(graph.input));
  member("output", name(graph.output));
  std::vector<Json> tensors, nodes;
  for (const GraphTensor& tensor : graph.tensors) tensors.push_back(tensor_to_json(tensor));
  for (const GraphNode& node : graph.nodes) nodes.push_back(node_to_json(graph, node));
  list("tensors", tensors, ",\n");
  list("nodes", nodes, "\n");
  return text + "}\n";
} catch (const Json::exception& error) {
  fail<ValueError>("graph: a name or metadata string is no UTF-8: ", error.what());
}

}  // namespace bitgrad::inference
