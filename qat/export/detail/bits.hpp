// Codes of fewer bits than a byte has, one behind the other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitgrad {

/// code - lowest of each code in `bits` bits (1 to 16), which must suffice; the first one in the low bits of the first
/// byte, and over the end of a byte into the low bits of the next.
inline std::vector<std::uint8_t> pack_bits(std::span<const std::int32_t> codes, std::int32_t lowest, int bits) {
  std::vector<std::uint8_t> bytes((codes.size() * static_cast<std::size_t>(bits) + 7) / 8, 0);
  std::size_t position = 0;
  for (const std::int32_t code : codes) {
    std::uint32_t rest = static_cast<std::uint32_t>(code - lowest) << (position % 8);
    for (std::size_t byte = position / 8; rest != 0; ++byte, rest >>= 8)
      bytes[byte] = static_cast<std::uint8_t>(bytes[byte] | (rest & 0xFF));
    position += static_cast<std::size_t>(bits);
  }
  return bytes;
}

}  // namespace bitgrad
