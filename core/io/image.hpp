// Pictures in files: PNG and JPEG.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad::io {

/// The pixels of a picture, uint8 [H, W, 1] for grey and [H, W, 3] for red, green and blue. PNG and JPEG are told apart
/// by their first bytes. Nothing is lost or guessed:
/// - PNG: up to 8 bits per channel, palettes included. An alpha channel that is opaque everywhere is left out.
/// - JPEG: baseline and progressive, grey or colour, decoded with the exact integer transform and smooth upsampling,
///   as most programs do.
/// Pixels are as stored: no colour profile, gamma or Exif orientation is applied.
/// Throws IoError that starts with `what`, the file's name, for data that is truncated or damaged in any way, 16-bit
/// channels, transparent pixels, CMYK, and more than 2^26 pixels.
Tensor decode_image(std::span<const std::byte> bytes, std::string_view what);

/// Rows and columns that the header of a picture announces; nothing is decoded. Throws IoError as decode_image() does,
/// for what the header alone shows.
struct PictureSize {
  Index height = 0, width = 0;
  bool operator==(const PictureSize&) const = default;
};
PictureSize picture_size(std::span<const std::byte> bytes, std::string_view what);

/// A PNG of uint8 pixels [H, W, 1] (grey) or [H, W, 3]. ShapeError for anything else.
Bytes encode_png(const Tensor& pixels);

/// decode_image() of a file. IoError with the path.
Tensor read_image(const Path& path);

}  // namespace bitgrad::io
