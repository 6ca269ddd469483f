// Why two executions of a graph differ, for people.
#pragma once

#include <set>
#include <string>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// Fields of two nodes of one kind that differ, by their names in graph.json and graph.npz: "codes", "bias",
/// "multiplier", "clamp". "operation" for nodes of two kinds.
std::vector<std::string> differing_fields(const GraphNode& a, const GraphNode& b);

/// One sentence on the first tensor that differs, number `tensor` of `graph`, from which executors have other codes
/// there than the naive one (names as in CodeDifference). Where evaluation alone has, the numbers of `live`, the model
/// as it lowers now, are compared with the graph's; null: there is no model.
std::string likely_cause(const InferenceGraph& graph, const InferenceGraph* live, int tensor,
                         const std::set<std::string>& executors);

}  // namespace bitgrad::inference
