#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/image.hpp>
#include "support/pictures.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using Catch::Contains;
using Catch::StartsWith;
using io::decode_image;
using support::jpeg;
using support::png;
using support::png_chunk;

namespace {

Tensor pixels(const Shape& shape, const std::vector<std::uint8_t>& values) { return Tensor::from(shape, values); }

/// The largest difference of any element from its channel's value in `color`.
int distance(const Tensor& picture, const std::vector<int>& color) {
  int largest = 0;
  const auto values = picture.span<std::uint8_t>();
  for (std::size_t i = 0; i < values.size(); ++i)
    largest = std::max(largest, std::abs(values[i] - color[i % color.size()]));
  return largest;
}

}  // namespace

TEST_CASE("png: grey, colour, palettes and few bits become bytes") {
  CHECK(identical(decode_image(png(2, 3, {0, 1, 2, 253, 254, 255}), "f"), pixels({2, 3, 1}, {0, 1, 2, 253, 254, 255})));
  CHECK(identical(decode_image(png(1, 2, {1, 2, 3, 4, 5, 6}, {.color_type = 2}), "f"),
                  pixels({1, 2, 3}, {1, 2, 3, 4, 5, 6})));
  const std::string palette = png_chunk("PLTE", std::string("\x0a\x0b\x0c\xc8\xc9\xca", 6));
  CHECK(identical(decode_image(png(1, 3, {1, 0, 1}, {.color_type = 3, .chunks = palette}), "f"),
                  pixels({1, 3, 3}, {200, 201, 202, 10, 11, 12, 200, 201, 202})));
  CHECK(identical(decode_image(png(1, 4, {0b10010000}, {.bit_depth = 1}), "f"), pixels({1, 4, 1}, {255, 0, 0, 255})));
  CHECK(identical(decode_image(png(1, 4, {0b00011011}, {.bit_depth = 2}), "f"), pixels({1, 4, 1}, {0, 85, 170, 255})));
}

TEST_CASE("png: alpha is left out where it says nothing and refused where it does, profiles change no pixel") {
  CHECK(identical(decode_image(png(1, 2, {7, 255, 9, 255}, {.color_type = 4}), "f"), pixels({1, 2, 1}, {7, 9})));
  CHECK(identical(decode_image(png(1, 1, {7, 8, 9, 255}, {.color_type = 6}), "f"), pixels({1, 1, 3}, {7, 8, 9})));
  CHECK_THROWS_WITH(decode_image(png(2, 1, {7, 255, 9, 17}, {.color_type = 4}), "f.png"),
                    "f.png: the pixel in row 1, column 0 has alpha 17, expected an opaque picture (255)");
  const std::string transparent_grey = png_chunk("tRNS", std::string("\0\x09", 2));
  CHECK_THROWS_WITH(decode_image(png(1, 2, {7, 9}, {.chunks = transparent_grey}), "f.png"),
                    Contains("column 1 has alpha 0"));
  const std::string gamma = png_chunk("gAMA", support::big_endian(100000));
  CHECK(identical(decode_image(png(1, 2, {7, 99}, {.chunks = gamma}), "f"), pixels({1, 2, 1}, {7, 99})));
}

TEST_CASE("png: what is damaged, truncated or of another kind is refused") {
  CHECK_THROWS_WITH(decode_image(png(1, 1, {1, 2}, {.bit_depth = 16}), "f.png"),
                    "f.png: PNG with 16 bits per channel, expected at most 8");
  const auto whole = png(2, 3, {0, 1, 2, 3, 4, 5});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO(size);
    CHECK_THROWS_WITH(decode_image(std::span(whole).first(size), "f.png"), StartsWith("f.png: "));
    CHECK_THROWS_AS(decode_image(std::span(whole).first(size), "f.png"), IoError);
  }
  CHECK_THROWS_WITH(decode_image(std::span(whole).first(whole.size() - 1), "f.png"),
                    "f.png: damaged PNG: truncated, it ends in the middle of a chunk");
  auto longer = whole;
  longer.push_back(std::byte{0});
  CHECK_THROWS_WITH(decode_image(longer, "f.png"), "f.png: 1 bytes follow the end of the PNG");
  CHECK_THROWS_WITH(decode_image(support::patched(whole, "IDAT", "IDAU"), "f.png"), StartsWith("f.png: damaged PNG: "));
  CHECK_THROWS_WITH(decode_image(png(2, 3, {0, 1, 2, 3}), "f.png"), StartsWith("f.png: damaged PNG: "));
  CHECK_THROWS_WITH(decode_image(support::bytes_of("GIF89a"), "a.gif"),
                    "a.gif: 6 bytes that are neither PNG nor JPEG (wrong magic number)");
  std::string header = support::big_endian(70000) + support::big_endian(70000) + std::string("\x08\0\0\0\0", 5);
  CHECK_THROWS_WITH(
      decode_image(support::bytes_of("\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + png_chunk("IDAT", "")), "f.png"),
      StartsWith("f.png: 70000 x 70000 pixels, expected 1 to 67108864"));
}

TEST_CASE("jpeg: grey and colour, baseline and progressive") {
  const Tensor grey = decode_image(jpeg(9, 17, {77}), "f");
  CHECK(grey.shape() == Shape{9, 17, 1});
  CHECK(distance(grey, {77}) == 0);
  const Tensor red = decode_image(jpeg(16, 8, {200, 30, 40}), "f");
  CHECK(red.shape() == Shape{16, 8, 3});
  CHECK(distance(red, {200, 30, 40}) <= 1);
  const Tensor progressive =
      decode_image(jpeg(16, 8, {200, 30, 40}, [](auto& info) { jpeg_simple_progression(&info); }), "f");
  CHECK(identical(progressive, red));
}

TEST_CASE("jpeg: what is damaged, truncated or of another kind is refused") {
  const auto whole = jpeg(24, 24, {200, 30, 40});
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {  // but for the two bytes of the end mark
    INFO(size);
    CHECK_THROWS_WITH(decode_image(std::span(whole).first(size), "f.jpg"), StartsWith("f.jpg: "));
    CHECK_THROWS_AS(decode_image(std::span(whole).first(size), "f.jpg"), IoError);
  }
  CHECK_THROWS_WITH(decode_image(std::span(whole).first(whole.size() - 20), "f.jpg"),
                    StartsWith("f.jpg: damaged or truncated JPEG: "));
  CHECK_THROWS_WITH(decode_image(jpeg(8, 8, {1, 2, 3, 4}), "f.jpg"),
                    "f.jpg: JPEG with 4 channels that are neither grey nor YCbCr nor RGB");
}

TEST_CASE("pictures are read from files, which errors name") {
  const support::TemporaryDirectory directory;
  const auto path = directory / "a.png";
  io::write_file_atomically(path, support::grey_png(2, 2, 9));
  CHECK(distance(io::read_image(path), {9}) == 0);
  io::write_file_atomically(path, support::bytes_of(""));
  CHECK_THROWS_WITH(io::read_image(path), StartsWith(path.string() + ": 0 bytes that are neither"));
}

TEST_CASE("png: what is encoded decodes to the same pixels") {
  for (const Shape& shape : {Shape{5, 7, 1}, Shape{3, 2, 3}, Shape{1, 1, 3}}) {
    Tensor pixels(shape, DType::uint8);
    std::uint8_t next = 7;
    for (std::uint8_t& pixel : pixels.span<std::uint8_t>()) pixel = next = static_cast<std::uint8_t>(next * 31 + 11);
    CHECK(identical(decode_image(io::encode_png(pixels), "here"), pixels));
  }
  CHECK_THROWS_WITH(io::encode_png(Tensor({2, 2, 2}, DType::uint8)), Contains("(2, 2, 2), expected uint8"));
  CHECK_THROWS_AS(io::encode_png(Tensor::zeros({2, 2, 1})), ShapeError);
  CHECK_THROWS_AS(io::encode_png(Tensor()), ShapeError);
}

TEST_CASE("pictures: the size that a header announces, without a look at the pixels") {
  const auto grey = png(2, 3, {0, 1, 2, 3, 4, 5}), colour = jpeg(9, 17, {200, 30, 40});
  const auto is = [](std::span<const std::byte> bytes, Index height, Index width) {
    const io::PictureSize size = io::picture_size(bytes, "p");
    CHECK(size.height == height);
    CHECK(size.width == width);
  };
  is(grey, 2, 3);
  is(std::span(grey).first(50), 2, 3);  // the pixels are cut short
  is(colour, 9, 17);
  CHECK_THROWS_WITH(io::picture_size(std::span(grey).first(20), "p"), StartsWith("p: damaged PNG: "));
  CHECK_THROWS_WITH(io::picture_size(std::span(colour).first(30), "p"), StartsWith("p: damaged or truncated JPEG: "));
  CHECK_THROWS_AS(io::picture_size(std::span(grey).first(3), "p"), IoError);
}
