// The two decoders behind decode_image() and picture_size().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <bitgrad/core/io/image.hpp>

namespace bitgrad::io::detail {

/// As decode_image(), for bytes that start like a PNG or a JPEG.
Tensor decode_png(std::span<const std::byte> bytes, std::string_view what);
Tensor decode_jpeg(std::span<const std::byte> bytes, std::string_view what);

/// As picture_size(), for the same.
PictureSize png_size(std::span<const std::byte> bytes, std::string_view what);
PictureSize jpeg_size(std::span<const std::byte> bytes, std::string_view what);

/// IoError that starts with `what` for no pixels or more than are decoded.
void check_picture_size(std::uint64_t height, std::uint64_t width, std::string_view what);

}  // namespace bitgrad::io::detail
