// PNG (ISO/IEC 15948) through libpng's simplified interface.
#include <png.h>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/image.hpp>

namespace bitgrad::io {

Bytes encode_png(const Tensor& pixels) {
  const bool picture = pixels.defined() && pixels.dtype() == DType::uint8 && pixels.rank() == 3 && pixels.size() > 0;
  if (!picture || (pixels.dim(2) != 1 && pixels.dim(2) != 3))
    fail<ShapeError>("encode_png: pixels are ", pixels.dtype(), ' ', pixels.shape(),
                     ", expected uint8 (height, width, 1 or 3)");
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(pixels.dim(0));
  image.width = static_cast<png_uint_32>(pixels.dim(1));
  image.format = pixels.dim(2) == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Bytes bytes(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data<std::uint8_t>(), 0, nullptr) == 0)
    fail<IoError>("encode_png: ", image.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace bitgrad::io
