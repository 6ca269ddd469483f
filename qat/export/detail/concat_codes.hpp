// What a concatenation makes of the codes of one input, as a table.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// By the rule of IntegerConcat: for every code of x from its lowest on, the code of y less y's lowest.
inline std::vector<std::int32_t> concat_codes(const Grid& x, const Grid& y, const IntegerConcat& op) {
  std::vector<std::int32_t> codes;
  for (std::int32_t code = x.lo; code <= x.hi; ++code) {
    const float real = static_cast<float>(code - x.zero_point[0]) * x.scale[0];
    const double level = static_cast<double>(std::nearbyint(real / y.scale[0])) + y.zero_point[0];
    codes.push_back(static_cast<std::int32_t>(std::clamp<double>(level, op.clamp_lo, op.clamp_hi)) - y.lo);
  }
  return codes;
}

}  // namespace bitgrad
