// Small IDX files, for tests of what reads them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <bitgrad/core/io/file.hpp>
#include "support/bytes.hpp"

namespace support {

/// The bytes of an IDX file of unsigned bytes.
inline std::vector<std::byte> idx(const std::vector<std::uint32_t>& extents, const std::vector<std::uint8_t>& values) {
  std::string text{'\0', '\0', '\x08', static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents)
    for (const int shift : {24, 16, 8, 0}) text += static_cast<char>(extent >> shift & 255);
  text.append(values.begin(), values.end());
  return bytes_of(text);
}

/// Writes images of `height` x `width` whose pixels count upwards, and these labels, under the names of MNIST's files.
inline void write_idx_dataset(const std::filesystem::path& directory, const std::string& prefix, std::uint32_t height,
                              std::uint32_t width, const std::vector<std::uint8_t>& labels) {
  std::filesystem::create_directories(directory);
  const auto count = static_cast<std::uint32_t>(labels.size());
  std::vector<std::uint8_t> pixels(std::size_t{count} * height * width);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  bitgrad::io::write_file_atomically(directory / (prefix + "-images-idx3-ubyte"), idx({count, height, width}, pixels));
  bitgrad::io::write_file_atomically(directory / (prefix + "-labels-idx1-ubyte"), idx({count}, labels));
}

}  // namespace support
