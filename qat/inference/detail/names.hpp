// Names and kinds of graph operations.
#pragma once

#include <optional>
#include <string_view>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// As the enumerator: "sigmoid", "hard_swish".
std::string_view name_of(ElementwiseFunction function);
/// The function of such a name; empty for any other.
std::optional<ElementwiseFunction> elementwise_function(std::string_view name);

/// FloatConv2D and the others that compute in float32.
bool is_float_operation(const GraphOperation& operation);
/// MaxPool2DOp, ReshapeOp, Pad2DOp, Upsample2DOp, InsertZeros2DOp and WhereOp: the output keeps the grid of its inputs,
/// or has none.
bool moves_data(const GraphOperation& operation);

}  // namespace bitgrad::inference
