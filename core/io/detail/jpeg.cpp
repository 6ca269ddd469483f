// JPEG (ITU-T T.81) through libjpeg or libjpeg-turbo.
#include <cstddef>
#include <cstdio>  // jpeglib.h needs it

#include <jpeglib.h>

#include <csetjmp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/detail/image_decoders.hpp>

namespace bitgrad::io::detail {
namespace {

class JpegReader {
 public:
  JpegReader(std::span<const std::byte> bytes, std::string_view what) : bytes_(bytes), what_(what) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = &JpegReader::stop;
    errors_.emit_message = &JpegReader::stop_at_warning;
    info_.client_data = this;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  PictureSize size() {
    run(&JpegReader::read_header);
    check_picture_size(info_.image_height, info_.image_width, what_);
    return {Index{info_.image_height}, Index{info_.image_width}};
  }

  Tensor read() {
    const auto [height, width] = size();
    const bool grey = info_.jpeg_color_space == JCS_GRAYSCALE;
    if (!grey && info_.jpeg_color_space != JCS_YCbCr && info_.jpeg_color_space != JCS_RGB)
      fail<IoError>(what_, ": JPEG with ", info_.num_components, " channels that are neither grey nor YCbCr nor RGB");
    info_.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    info_.dct_method = JDCT_ISLOW;  // exact integers, the same for every instruction set
    Tensor pixels({height, width, grey ? 1 : 3}, DType::uint8);
    row_ = pixels.data<std::uint8_t>();
    row_bytes_ = static_cast<std::size_t>(pixels.size() / pixels.dim(0));
    run(&JpegReader::read_pixels);
    return pixels;
  }

 private:
  // What runs between setjmp and longjmp owns nothing that would have to be destroyed.
  void read_header() {
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()),
                 static_cast<unsigned long>(bytes_.size()));
    jpeg_read_header(&info_, TRUE);
  }
  void read_pixels() {
    jpeg_start_decompress(&info_);
    for (; info_.output_scanline < info_.output_height; row_ += row_bytes_) jpeg_read_scanlines(&info_, &row_, 1);
    jpeg_finish_decompress(&info_);
  }

  void run(void (JpegReader::*step)()) {
    if (!completes(step)) fail<IoError>(what_, ": damaged or truncated JPEG: ", reason_);
  }
  bool completes(void (JpegReader::*step)()) {
    if (setjmp(jump_) != 0) return false;
    (this->*step)();
    return true;
  }

  [[noreturn]] static void stop(j_common_ptr info) {
    auto* self = static_cast<JpegReader*>(info->client_data);
    info->err->format_message(info, self->reason_);
    std::longjmp(self->jump_, 1);
  }
  /// libjpeg warns (level -1) where it fills in what is damaged or missing.
  static void stop_at_warning(j_common_ptr info, int level) {
    if (level < 0) stop(info);
  }

  std::span<const std::byte> bytes_;
  std::string_view what_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  std::jmp_buf jump_{};
  char reason_[JMSG_LENGTH_MAX] = "";
  JSAMPROW row_ = nullptr;
  std::size_t row_bytes_ = 0;
};

}  // namespace

Tensor decode_jpeg(std::span<const std::byte> bytes, std::string_view what) { return JpegReader(bytes, what).read(); }
PictureSize jpeg_size(std::span<const std::byte> bytes, std::string_view what) {
  return JpegReader(bytes, what).size();
}

}  // namespace bitgrad::io::detail
