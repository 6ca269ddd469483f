// Why two executions of a graph differ, for people.
#pragma once

#include <set>
#include <string>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// One sentence on the first tensor that differs, number `tensor` of `graph`, from which executors have other codes
/// there than the naive one (names as in CodeDifference). Where evaluation alone has, the numbers of `live`, the model
/// as it lowers now, are compared with the graph's; null: there is no model.
std::string likely_cause(const InferenceGraph& graph, const InferenceGraph* live, int tensor,
                         const std::set<std::string>& executors);

}  // namespace bitgrad::inference
