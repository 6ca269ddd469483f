#include <bitgrad/core/io/image.hpp>

#include <algorithm>
#include <array>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/image_decoders.hpp>

namespace bitgrad::io {
namespace {

bool starts_with(std::span<const std::byte> bytes, std::initializer_list<int> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin(),
                                                    [](int a, std::byte b) { return a == std::to_integer<int>(b); });
}

bool is_png(std::span<const std::byte> bytes, std::string_view what) {
  if (starts_with(bytes, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) return true;
  if (starts_with(bytes, {0xff, 0xd8, 0xff})) return false;
  fail<IoError>(what, ": ", bytes.size(), " bytes that are neither PNG nor JPEG (wrong magic number)");
}

}  // namespace

Tensor decode_image(std::span<const std::byte> bytes, std::string_view what) {
  return is_png(bytes, what) ? detail::decode_png(bytes, what) : detail::decode_jpeg(bytes, what);
}

PictureSize picture_size(std::span<const std::byte> bytes, std::string_view what) {
  return is_png(bytes, what) ? detail::png_size(bytes, what) : detail::jpeg_size(bytes, what);
}

Tensor read_image(const Path& path) { return decode_image(read_file(path), path.string()); }

void detail::check_picture_size(std::uint64_t height, std::uint64_t width, std::string_view what) {
  constexpr std::uint64_t most_pixels = std::uint64_t{1} << 26;
  if (height == 0 || width == 0 || height > most_pixels / width)
    fail<IoError>(what, ": ", height, " x ", width, " pixels, expected 1 to ", most_pixels);
}

}  // namespace bitgrad::io
