// Functions of single elements between two grids, tabulated.
#pragma once

#include <vector>

#include <bitgrad/qat/inference/detail/recorded.hpp>

namespace bitgrad::inference {

/// Clamp, elementwise function, normalisation and batch normalisation: they look at one element (and its channel).
bool is_element_function(const RecordedValue& value);

/// The float32 operation of a value that is not fused; its arrays are copies.
GraphOperation float_operation(const RecordedValue& value);

/// False when the table would have more than 2^20 entries.
bool table_fits(const std::vector<const RecordedValue*>& functions, const Grid& from);

/// For every code of `from`: dequantize, apply the functions in order in float32, quantize to `to`. ValueError naming
/// the layer when a result is NaN.
IntegerTable integer_table(const std::vector<const RecordedValue*>& functions, const Grid& from, const Grid& to,
                           const std::string& layer);

}  // namespace bitgrad::inference
