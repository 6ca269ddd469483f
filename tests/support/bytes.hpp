// Bytes out of text, for tests of file formats.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace support {

inline std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Two hexadecimal digits per byte.
inline std::vector<std::byte> from_hex(std::string_view digits) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16)));
  return bytes;
}

/// The text with the first `from` replaced by an equally long `to`.
inline std::vector<std::byte> patched(std::span<const std::byte> bytes, std::string_view from, std::string_view to,
                                      bool last = false) {
  std::string text = text_of(bytes);
  text.replace(last ? text.rfind(from) : text.find(from), from.size(), to);
  return bytes_of(text);
}

}  // namespace support
