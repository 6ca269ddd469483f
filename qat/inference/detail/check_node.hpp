// What InferenceGraph::validate() asks of a single node.
#pragma once

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// Bounds of a sample's extents and elements, far above any network's and far below where products of them would wrap.
constexpr Index most_extent = Index{1} << 30, most_elements = Index{1} << 32;

/// Checks a node against the tensors around it, which exist: operands, grids, shapes, arrays and accumulators.
/// ValueError or ShapeError naming the node and the field.
void check_node(const InferenceGraph& graph, const GraphNode& node);

}  // namespace bitgrad::inference
