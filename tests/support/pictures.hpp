// Writes PNG and JPEG, for tests of what reads them.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <jpeglib.h>

#include "support/bytes.hpp"

namespace support {

inline std::string big_endian(std::uint32_t value) {
  std::string text;
  for (const int shift : {24, 16, 8, 0}) text += static_cast<char>(value >> shift & 255);
  return text;
}

inline std::string png_chunk(const std::string& type, const std::string& content) {
  const std::string checked = type + content;
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return big_endian(static_cast<std::uint32_t>(content.size())) + checked + big_endian(static_cast<std::uint32_t>(crc));
}

struct PngOptions {
  int color_type = 0;  ///< 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha
  int bit_depth = 8;
  std::string chunks = {};  ///< between header and pixels
};

/// Rows are packed as PNG has them: `rows` is height times as many bytes as a row needs.
inline std::vector<std::byte> png(std::uint32_t height, std::uint32_t width, const std::vector<std::uint8_t>& rows,
                                  const PngOptions& options = {}) {
  std::string filtered;
  const std::size_t row_bytes = rows.size() / height;
  for (std::size_t y = 0; y < height; ++y) {
    filtered += '\0';  // no filter
    filtered.append(rows.begin() + static_cast<std::ptrdiff_t>(y * row_bytes),
                    rows.begin() + static_cast<std::ptrdiff_t>((y + 1) * row_bytes));
  }
  std::string packed(compressBound(static_cast<uLong>(filtered.size())), '\0');
  uLongf size = static_cast<uLongf>(packed.size());
  if (compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(filtered.data()),
               static_cast<uLong>(filtered.size())) != Z_OK)
    throw std::runtime_error("compress");
  packed.resize(size);
  std::string header = big_endian(width) + big_endian(height);
  for (const int field : {options.bit_depth, options.color_type, 0, 0, 0}) header += static_cast<char>(field);
  return bytes_of("\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + options.chunks + png_chunk("IDAT", packed) +
                  png_chunk("IEND", ""));
}

/// A picture of one colour, grey for channels = 1, at the best quality; `adjust` changes the settings.
inline std::vector<std::byte> jpeg(std::uint32_t height, std::uint32_t width, const std::vector<std::uint8_t>& color,
                                   const std::function<void(jpeg_compress_struct&)>& adjust = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_height = height;
  info.image_width = width;
  info.input_components = static_cast<int>(color.size());
  info.in_color_space = color.size() == 1 ? JCS_GRAYSCALE : color.size() == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  if (adjust) adjust(info);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> row;
  for (std::uint32_t x = 0; x < width; ++x) row.insert(row.end(), color.begin(), color.end());
  for (std::uint32_t y = 0; y < height; ++y) {
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  const auto bytes = std::as_bytes(std::span(out, size));
  std::vector<std::byte> result(bytes.begin(), bytes.end());
  jpeg_destroy_compress(&info);
  std::free(out);
  return result;
}

/// A grey PNG whose pixels are all `value`.
inline std::vector<std::byte> grey_png(std::uint32_t height, std::uint32_t width, std::uint8_t value) {
  return png(height, width, std::vector<std::uint8_t>(std::size_t{height} * width, value));
}

}  // namespace support
