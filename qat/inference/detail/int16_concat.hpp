// Concatenation of codes that ride as int16.
#pragma once

#include <bitgrad/qat/inference/detail/program.hpp>

namespace bitgrad::inference {

/// The step of a concatenation whose inputs and output ride as int16: a code of an input becomes a code of the output
/// by a table, or is copied where the grids are the same.
Step int16_concat(const InferenceGraph& graph, const MemoryPlan& plan, const GraphNode& node, const IntegerConcat& op);

}  // namespace bitgrad::inference
