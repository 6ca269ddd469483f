// PNG (ISO/IEC 15948) through libpng.
#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/image_decoders.hpp>

namespace bitgrad::io::detail {
namespace {

constexpr int opaque = 255;

class PngReader {
 public:
  PngReader(std::span<const std::byte> bytes, std::string_view what) : rest_(bytes), what_(what) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::stop, &PngReader::ignore);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
    if (info_ != nullptr) return;
    png_destroy_read_struct(&png_, nullptr, nullptr);
    throw std::bad_alloc();
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  PictureSize size() {
    run(&PngReader::read_header);
    if (png_get_bit_depth(png_, info_) > 8) fail<IoError>(what_, ": PNG with 16 bits per channel, expected at most 8");
    check_picture_size(png_get_image_height(png_, info_), png_get_image_width(png_, info_), what_);
    return {Index{png_get_image_height(png_, info_)}, Index{png_get_image_width(png_, info_)}};
  }

  Tensor read() {
    const auto [height, width] = size();
    run(&PngReader::expand_to_bytes);
    Tensor pixels({height, width, png_get_channels(png_, info_)}, DType::uint8);
    const Index row_bytes = pixels.size() / height;
    BITGRAD_ASSERT(png_get_rowbytes(png_, info_) == static_cast<std::size_t>(row_bytes));
    for (Index y = 0; y < height; ++y) rows_.push_back(pixels.data<std::uint8_t>() + y * row_bytes);
    run(&PngReader::read_pixels);
    if (!rest_.empty()) fail<IoError>(what_, ": ", rest_.size(), " bytes follow the end of the PNG");
    return pixels.dim(-1) % 2 == 0 ? without_alpha(pixels) : pixels;
  }

 private:
  // What runs between setjmp and longjmp owns nothing that would have to be destroyed.
  void read_header() {
    png_set_read_fn(png_, this, &PngReader::give);
    png_read_info(png_, info_);
  }
  void expand_to_bytes() {
    png_set_expand(png_);  // palettes to colours, 1, 2 and 4 bits to 8, a transparent colour to alpha
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }
  void read_pixels() {
    png_read_image(png_, rows_.data());
    png_read_end(png_, nullptr);
  }

  void run(void (PngReader::*step)()) {
    if (!completes(step)) fail<IoError>(what_, ": damaged PNG: ", reason_);
  }
  bool completes(void (PngReader::*step)()) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    (this->*step)();
    return true;
  }

  [[noreturn]] static void stop(png_structp png, png_const_charp reason) {
    static_cast<PngReader*>(png_get_error_ptr(png))->reason_ = reason;
    png_longjmp(png, 1);
  }
  /// Warnings are about ancillary chunks, colour profiles say, which play no part here.
  static void ignore(png_structp, png_const_charp) {}
  static void give(png_structp png, png_bytep out, std::size_t count) {
    auto& rest = static_cast<PngReader*>(png_get_io_ptr(png))->rest_;
    if (count > rest.size()) png_error(png, "truncated, it ends in the middle of a chunk");
    std::memcpy(out, rest.data(), count);
    rest = rest.subspan(count);
  }

  Tensor without_alpha(const Tensor& pixels) const {
    const Index channels = pixels.dim(-1);
    Tensor result(pixels.shape().with(-1, channels - 1), DType::uint8);
    const std::uint8_t* from = pixels.data<std::uint8_t>();
    std::uint8_t* to = result.data<std::uint8_t>();
    for (Index i = 0; i < pixels.size() / channels; ++i, from += channels) {
      if (from[channels - 1] != opaque)
        fail<IoError>(what_, ": the pixel in row ", i / pixels.dim(1), ", column ", i % pixels.dim(1), " has alpha ",
                      int{from[channels - 1]}, ", expected an opaque picture (", opaque, ")");
      to = std::copy_n(from, channels - 1, to);
    }
    return result;
  }

  std::span<const std::byte> rest_;
  std::string_view what_;
  std::string reason_;
  std::vector<png_bytep> rows_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Tensor decode_png(std::span<const std::byte> bytes, std::string_view what) { return PngReader(bytes, what).read(); }
PictureSize png_size(std::span<const std::byte> bytes, std::string_view what) { return PngReader(bytes, what).size(); }

}  // namespace bitgrad::io::detail
