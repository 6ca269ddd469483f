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
};
CentredRange centred_range(const Grid& grid);

/// Codes minus zero points, int32, as rows of one window: [k, out], k = kh * kw * in or in.
std::vector<std::int32_t> centred_weights(const IntegerWeights& weights);

/// What inputs of a range can do to one output channel: the sum of all negative extremes of its products, and of all
/// positive ones. Every partial sum, in any order of addition, lies between them.
struct ChannelBounds {
  std::int64_t lowest = 0, highest = 0;  ///< without bias

  void add(std::int64_t weight, const CentredRange& input);
  std::int64_t magnitude() const { return highest > -lowest ? highest : -lowest; }
};
std::vector<ChannelBounds> accumulator_bounds(const IntegerWeights& weights, const Grid& input);

/// True when all partial sums of the channel, with and without bias, fit int32.
bool fits_int32(const ChannelBounds& bounds, std::int32_t bias);

/// float32 holds every integer below this in magnitude, so that sums bounded by it are exact in any order.
inline constexpr std::int64_t float32_exact_limit = std::int64_t{1} << 24;

/// Cuts [0, k) into stretches [first, second) whose sums stay below float32_exact_limit in every channel. Empty when
/// not even single products do.
std::vector<std::pair<Index, Index>> exact_blocks(const std::vector<std::int32_t>& centred, Index k, Index out,
                                                  const CentredRange& input);

/// The weights of a convolution or dense layer, or nullptr for other operations.
const IntegerWeights* integer_weights(const GraphOperation& operation);

}  // namespace bitgrad::inference
