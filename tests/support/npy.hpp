// npy files of dtypes that no Tensor has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/error.hpp>
#include "support/bytes.hpp"

namespace support {

/// A version 1.0 file: NumPy's name of the dtype, its tuple of extents, the bytes of the elements.
inline std::vector<std::byte> npy_file(const std::string& descr, const std::string& shape, std::string_view data) {
  const std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return bytes_of(std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header +
                  std::string(data));
}

/// An array of one axis.
template <class T>
std::vector<std::byte> npy_numbers(const std::string& descr, const std::vector<T>& values) {
  const std::string_view data(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return npy_file(descr, bitgrad::message('(', values.size(), ",)"), data);
}

/// An array of one axis of strings, '|S'.
inline std::vector<std::byte> npy_strings(const std::vector<std::string>& strings) {
  std::size_t length = 1;
  for (const std::string& text : strings) length = std::max(length, text.size());
  std::string data;
  for (const std::string& text : strings) data += text + std::string(length - text.size(), '\0');
  return npy_file(bitgrad::message("|S", length), bitgrad::message('(', strings.size(), ",)"), data);
}

/// An array of one axis of strings, '<U' or '>U', each with so many characters.
inline std::vector<std::byte> npy_wide_strings(char order, std::size_t length, const std::u32string& characters) {
  std::string data;
  for (const char32_t character : characters)
    for (int i = 0; i < 4; ++i) data += static_cast<char>(character >> (8 * (order == '<' ? i : 3 - i)) & 0xFF);
  return npy_file(bitgrad::message(order, 'U', length), bitgrad::message('(', characters.size() / length, ",)"), data);
}

}  // namespace support
