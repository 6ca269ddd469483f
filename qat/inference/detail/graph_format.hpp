// The two files of a graph, in memory.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

inline constexpr std::string_view graph_format = "bitgrad.graph";
inline constexpr int graph_version = 1;

/// What graph.json says of the array file beside it, so that files of two different graphs are never taken for one.
struct ArrayFile {
  std::size_t bytes = 0;
  std::string crc32;  ///< eight hexadecimal digits
};

/// All arrays of the graph, "<node>.<field>"; codes as int8 or uint8 where they fit.
NamedTensors graph_arrays(const InferenceGraph& graph);
/// The JSON text; the same graph gives the same text. ValueError for names or metadata that are no UTF-8.
std::string format_graph(const InferenceGraph& graph, const ArrayFile& file);

/// Fields of two nodes of one kind that differ, by their names in graph.json and graph.npz: "codes", "bias",
/// "multiplier", "clamp". "operation" for nodes of two kinds.
std::vector<std::string> differing_fields(const GraphNode& a, const GraphNode& b);

/// Reads both back. `load_arrays` is called once with what the text says of the array file. IoError starting with
/// `what` for unknown, missing or repeated keys, values of a wrong type, and arrays that are missing or belong to
/// nobody.
InferenceGraph parse_graph(std::string_view json, const std::string& what,
                           const std::function<NamedTensors(const ArrayFile&)>& load_arrays);

}  // namespace bitgrad::inference
