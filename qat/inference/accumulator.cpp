#include <bitgrad/qat/inference/accumulator.hpp>

#include <algorithm>
#include <cstdlib>
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

std::vector<ChannelBounds> accumulator_bounds(const IntegerWeights& weights, const Grid& input) {
  const CentredRange range = centred_range(input);
  const std::vector<std::int32_t> centred = centred_weights(weights);
  const std::size_t out = static_cast<std::size_t>(weights.codes.dim(-1));
  std::vector<ChannelBounds> bounds(out);
  for (std::size_t i = 0; i < centred.size(); ++i) {
    const std::int64_t w = centred[i];
    ChannelBounds& channel = bounds[i % out];
    channel.lowest += std::min(w * range.lo, w * range.hi);
    channel.highest += std::max(w * range.lo, w * range.hi);
    channel.magnitude += std::abs(w) * range.magnitude();
  }
  return bounds;
}

bool fits_int32(const ChannelBounds& bounds, std::int32_t bias) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  return bounds.magnitude <= most && bounds.lowest + bias >= -most && bounds.highest + bias <= most;
}

std::vector<std::pair<Index, Index>> exact_blocks(const std::vector<std::int32_t>& centred, Index k, Index out,
                                                  std::int64_t input_magnitude) {
  std::vector<std::pair<Index, Index>> blocks;
  std::vector<std::int64_t> sums(static_cast<std::size_t>(out), 0);
  Index begin = 0;
  for (Index row = 0; row < k; ++row) {
    const std::int32_t* weights = centred.data() + row * out;
    const auto row_product = [&](Index o) { return std::abs(static_cast<std::int64_t>(weights[o])) * input_magnitude; };
    bool fits = true;
    for (Index o = 0; o < out; ++o) {
      if (row_product(o) >= float32_exact_limit) return {};
      fits = fits && sums[static_cast<std::size_t>(o)] + row_product(o) < float32_exact_limit;
    }
    if (!fits) {
      blocks.emplace_back(begin, row);
      begin = row;
      std::fill(sums.begin(), sums.end(), 0);
    }
    for (Index o = 0; o < out; ++o) sums[static_cast<std::size_t>(o)] += row_product(o);
  }
  if (k > begin) blocks.emplace_back(begin, k);
  return blocks;
}

const IntegerWeights* integer_weights(const GraphOperation& operation) {
  if (const auto* conv = std::get_if<IntegerConv2D>(&operation)) return &conv->weights;
  if (const auto* dense = std::get_if<IntegerDense>(&operation)) return &dense->weights;
  return nullptr;
}

}  // namespace bitgrad::inference
