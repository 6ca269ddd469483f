#include <bitgrad/qat/export/detail/onnx_weights.hpp>

#include <algorithm>
#include <limits>
#include <map>

#include <bitgrad/qat/export/detail/bits.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>

namespace bitgrad::onnx {
namespace {

constexpr std::int32_t offset = 128;  // between int8 and uint8

/// [..., in, out] to [out, in, ...].
std::vector<std::int32_t> outputs_first(const Tensor& codes) {
  const Index out = codes.dim(-1), in = codes.dim(-2), pixels = codes.size() / (in * out);
  const std::int32_t* from = codes.data<std::int32_t>();
  std::vector<std::int32_t> result;
  result.reserve(static_cast<std::size_t>(codes.size()));
  for (Index o = 0; o < out; ++o)
    for (Index i = 0; i < in; ++i)
      for (Index p = 0; p < pixels; ++p) result.push_back(from[(p * in + i) * out + o]);
  return result;
}

Dims stored_dims(const Shape& shape) {
  if (shape.rank() == 4) return {shape[3], shape[2], shape[0], shape[1]};
  return {shape[1], shape[0]};
}

bool within(const std::vector<std::int32_t>& values, std::int32_t lo, std::int32_t hi) {
  return std::ranges::all_of(values, [&](std::int32_t value) { return value >= lo && value <= hi; });
}

void move(StoredWeights& weights, Type type, std::int32_t by) {
  weights.type = type;
  for (std::int32_t& code : weights.codes) code += by;
  for (std::int32_t& zero : weights.zero_points) zero += by;
}

/// Whether u1 * w1 + u2 * w2 can leave int16.
bool can_saturate(const std::vector<std::int32_t>& codes, std::int32_t highest_input) {
  std::int32_t largest = 0;
  for (const std::int32_t code : codes) largest = std::max(largest, std::abs(code));
  return 2 * largest * highest_input > std::numeric_limits<std::int16_t>::max();
}

}  // namespace

StoredWeights stored_weights(const GraphNode& node, const IntegerWeights& weights, std::int32_t highest_input,
                             OnnxWeights type) {
  StoredWeights result{Type::int8, stored_dims(weights.codes.shape()), outputs_first(weights.codes),
                       weights.grid.zero_point, weights.grid.scale};
  const auto fit = [&](std::int32_t lo, std::int32_t hi) {
    return within(result.codes, lo, hi) && within(result.zero_points, lo, hi);
  };
  if (!weights.grid.is_signed() && fit(0, 255)) {
    result.type = Type::uint8;
    if (type == OnnxWeights::int8) move(result, Type::int8, -offset);
  } else if (!fit(-128, 127)) {
    fail<NotImplementedError>("onnx: the weights of \"", node.name, "\" have codes ", weights.grid.lo, "..",
                              weights.grid.hi, "; the integer kernels of ONNX Runtime take 8 bits");
  } else if (type == OnnxWeights::uint8 && can_saturate(result.codes, highest_input)) {
    move(result, Type::uint8, offset);
  }
  return result;
}

std::optional<PackedCodes> pack_codes(const std::vector<std::int32_t>& codes, int pack) {
  if (pack == 8) return std::nullopt;
  std::map<std::int32_t, std::int32_t> index;  // of each code in the table
  for (const std::int32_t code : codes)
    if (index.emplace(code, 0).second && index.size() > 16) return std::nullopt;
  PackedCodes result{pack == 2 && index.size() <= 4 ? Type::uint2 : Type::uint4, {}, {}};
  for (auto& [code, position] : index) {
    position = static_cast<std::int32_t>(result.table.size());
    result.table.push_back(code);
  }
  std::vector<std::int32_t> positions;
  positions.reserve(codes.size());
  for (const std::int32_t code : codes) positions.push_back(index.at(code));
  result.indices = raw<std::uint8_t>(pack_bits(positions, 0, result.type == Type::uint2 ? 2 : 4));
  return result;
}

io::Bytes raw_codes(const std::vector<std::int32_t>& codes, Type type) {
  if (type == Type::uint8) return raw<std::uint8_t>(codes);
  if (type == Type::int8) return raw<std::int8_t>(codes);
  return raw<std::int32_t>(codes);
}

}  // namespace bitgrad::onnx
