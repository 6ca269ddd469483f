// What InferenceGraph::validate() asks of a single node.
#pragma once

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// Checks a node against the tensors around it, which exist: operands, grids, shapes, arrays and accumulators.
/// ValueError or ShapeError naming the node and the field.
void check_node(const InferenceGraph& graph, const GraphNode& node);

}  // namespace bitgrad::inference
