// How integer weights are stored in an ONNX file.
#pragma once

#include <vector>

#include <bitgrad/qat/export/detail/onnx_model.hpp>
#include <bitgrad/qat/export/onnx.hpp>
#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::onnx {

/// Codes in ONNX's order, output channels first: [out, in, kh, kw] or [out, in].
struct StoredWeights {
  Type type = Type::int8;  ///< int8 or uint8
  Dims dims;
  std::vector<std::int32_t> codes;
  std::vector<std::int32_t> zero_points;  ///< one, or one per output channel
  std::vector<float> scales;              ///< as many
};

/// OnnxWeights::uint8: codes as they are, int8 for signed grids and uint8 for others, with one exception: x86
/// processors without VNNI multiply uint8 inputs by int8 weights in pairs whose sum saturates at 16 bits. Where inputs
/// of up to `highest_input` and these weights can reach that, codes and zero points move up by 128 into uint8, whose
/// kernels are exact everywhere. OnnxWeights::int8: int8, to which the codes of unsigned grids move down by 128.
/// NotImplementedError naming the node for codes that fit neither type.
StoredWeights stored_weights(const GraphNode& node, const IntegerWeights& weights, std::int32_t highest_input,
                             OnnxWeights type = OnnxWeights::uint8);

/// Codes as indices below a byte into the table of the values that occur.
struct PackedCodes {
  Type type = Type::uint4;  ///< or uint2
  io::Bytes indices;        ///< the first element in the low bits of the first byte
  std::vector<std::int32_t> table;
};

/// The smallest type of at least `pack` bits (2 or 4) whose indices suffice; 2^bits or fewer values must occur.
/// Without a value when more than 16 do, or when pack is 8.
std::optional<PackedCodes> pack_codes(const std::vector<std::int32_t>& codes, int pack);

/// Elements as raw data of an initializer.
template <class T, class U>
io::Bytes raw(const std::vector<U>& values) {
  io::Bytes bytes;
  bytes.reserve(values.size() * sizeof(T));
  for (const U value : values) {
    const T element = static_cast<T>(value);
    const auto* first = reinterpret_cast<const std::byte*>(&element);
    bytes.insert(bytes.end(), first, first + sizeof(T));
  }
  return bytes;
}
io::Bytes raw_codes(const std::vector<std::int32_t>& codes, Type type);

}  // namespace bitgrad::onnx
