#include <bitgrad/qat/inference/detail/accumulator.hpp>

#include <algorithm>
#include <limits>

namespace bitgrad::inference {

CentredRange centred_range(const Grid& grid) {
  const std::int64_t zero = grid.zero_point.front();
  return {std::min<std::int64_t>(grid.lo - zero, 0), std::max<std::int64_t>(grid.hi - zero, 0)};
}

std::vector<std::int32_t> centred_weights(const IntegerWeights& weights) {
  const std::vector<std::int32_t>& zero = weights.grid.zero_point;
  const Index out = weights.codes.dim(-1);
  const auto codes = weights.codes.span<std::int32_t>();
  std::vector<std::int32_t> result(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i)
    result[i] = codes[i] - (zero.size() == 1 ? zero[0] : zero[i % static_cast<std::size_t>(out)]);
  return result;
}

void ChannelBounds::add(std::int64_t weight, const CentredRange& input) {
  lowest += std::min(weight * input.lo, weight * input.hi);
  highest += std::max(weight * input.lo, weight * input.hi);
}

std::vector<ChannelBounds> accumulator_bounds(const IntegerWeights& weights, const Grid& input) {
  const CentredRange range = centred_range(input);
  const std::vector<std::int32_t> centred = centred_weights(weights);
  const std::size_t out = static_cast<std::size_t>(weights.codes.dim(-1));
  std::vector<ChannelBounds> bounds(out);
  for (std::size_t i = 0; i < centred.size(); ++i) bounds[i % out].add(centred[i], range);
  return bounds;
}

bool fits_int32(const ChannelBounds& bounds, std::int32_t bias) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  const auto fits = [](std::int64_t low, std::int64_t high) { return low >= -most && high <= most; };
  return fits(bounds.lowest, bounds.highest) && fits(bounds.lowest + bias, bounds.highest + bias);
}

std::vector<std::pair<Index, Index>> exact_blocks(const std::vector<std::int32_t>& centred, Index k, Index out,
                                                  const CentredRange& input) {
  const auto exact = [](const ChannelBounds& bounds) { return bounds.magnitude() < float32_exact_limit; };
  std::vector<std::pair<Index, Index>> blocks;
  std::vector<ChannelBounds> sums(static_cast<std::size_t>(out));
  Index begin = 0;
  for (Index row = 0; row < k; ++row) {
    const auto add_row = [&] {
      for (std::size_t o = 0; o < sums.size(); ++o)
        sums[o].add(centred[static_cast<std::size_t>(row * out) + o], input);
      return std::ranges::all_of(sums, exact);
    };
    if (!add_row()) {
      if (row > begin) blocks.emplace_back(begin, row);
      begin = row;
      std::ranges::fill(sums, ChannelBounds());
      if (!add_row()) return {};
    }
  }
  blocks.emplace_back(begin, k);
  return blocks;
}

const IntegerWeights* integer_weights(const GraphOperation& operation) {
  if (const auto* conv = std::get_if<IntegerConv2D>(&operation)) return &conv->weights;
  if (const auto* dense = std::get_if<IntegerDense>(&operation)) return &dense->weights;
  return nullptr;
}

}  // namespace bitgrad::inference
