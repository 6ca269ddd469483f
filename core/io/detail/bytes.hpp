// Little- and big-endian integers in byte buffers, for readers and writers of binary formats.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace bitgrad::io {

static_assert(std::endian::native == std::endian::little,
              "the file formats store little-endian elements, which bitgrad copies as they are");

/// Appends an integer, lowest byte first.
template <std::unsigned_integral T>
void put(std::vector<std::byte>& out, std::type_identity_t<T> value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<std::byte>((std::uint64_t{value} >> (8 * i)) & 0xFF));
}

inline void put_text(std::vector<std::byte>& out, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

/// The integer at `offset`, lowest byte first. The caller has checked that it is inside.
template <std::unsigned_integral T>
T get(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::to_integer<std::uint64_t>(bytes[offset + i]) << (8 * i);
  return static_cast<T>(value);
}

/// The integer at `offset`, highest byte first. The caller has checked that it is inside.
template <std::unsigned_integral T>
T get_big_endian(std::span<const std::byte> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[offset + i]);
  return static_cast<T>(value);
}

/// The bytes seen as characters.
inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace bitgrad::io
