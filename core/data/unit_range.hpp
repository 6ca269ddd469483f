// Pixels to floats.
#pragma once

#include <cstdint>

#include <bitgrad/core/shape.hpp>

namespace bitgrad::data {

/// target[i] = source[i] / 255, a true division: times 1/255 would be another float for some of the 256 values.
inline void to_unit_range(const std::uint8_t* source, Index count, float* target) {
  for (Index i = 0; i < count; ++i) target[i] = static_cast<float>(source[i]) / 255.0f;
}

}  // namespace bitgrad::data
