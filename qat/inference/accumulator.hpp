// How large the accumulator of an integer layer can become.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// The grid's codes minus its zero point: the integers that a product sees. Zero lies between them.
struct CentredRange {
  std::int64_t lo = 0, hi = 0;
  std::int64_t magnitude() const { return hi > -lo ? hi : -lo; }
};
CentredRange centred_range(const Grid& grid);

/// Codes minus zero points, int32, as rows of one window: [k, out], k = kh * kw * in or in.
std::vector<std::int32_t> centred_weights(const IntegerWeights& weights);

/// What inputs of a range can do to one output channel.
struct ChannelBounds {
  std::int64_t lowest = 0;     ///< smallest sum, without bias
  std::int64_t highest = 0;    ///< largest sum, without bias
  std::int64_t magnitude = 0;  ///< sum of |weight| times the largest |input|: no partial sum in any order exceeds it
};
std::vector<ChannelBounds> accumulator_bounds(const IntegerWeights& weights, const Grid& input);

/// True when all sums of the channel, with and without bias, fit int32, in any order.
bool fits_int32(const ChannelBounds& bounds, std::int32_t bias);

/// float32 holds every integer below this in magnitude, so that sums bounded by it are exact in any order.
inline constexpr std::int64_t float32_exact_limit = std::int64_t{1} << 24;

/// Cuts [0, k) into stretches [first, second) whose sums stay below float32_exact_limit in every channel. Empty when not even
/// single products do.
std::vector<std::pair<Index, Index>> exact_blocks(const std::vector<std::int32_t>& centred, Index k, Index out,
                                                  std::int64_t input_magnitude);

/// The weights of a convolution or dense layer, or nullptr for other operations.
const IntegerWeights* integer_weights(const GraphOperation& operation);

}  // namespace bitgrad::inference
