#include <bitgrad/cli/images.hpp>

#include <cmath>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/npy.hpp>

namespace bitgrad::cli {

Tensor read_images(const std::string& path, const Shape& sample) {
  Tensor images = io::read_npy(path);
  const Shape found = images.shape();
  if (sample.rank() == 3 && sample[-1] == 1 && found.rank() == 3)
    images = images.reshape({found[0], found[1], found[2], 1});
  if (images.rank() != sample.rank() + 1 || images.shape().without_front() != sample)
    fail<ShapeError>(path, ": shape ", found, ", the graph takes images of ", sample);
  if (found[0] == 0) fail<ShapeError>(path, ": holds no images");
  if (images.dtype() == DType::uint8) return data::to_unit_range(images);
  if (images.dtype() != DType::float32)
    fail<ShapeError>(path, ": dtype is ", images.dtype(), ", expected float32 or uint8");
  const Index per_image = images.size() / found[0];
  for (Index i = 0; i < images.size(); ++i)
    if (const float value = images.data<float>()[i]; !std::isfinite(value))
      fail<ValueError>(path, ": element ", i % per_image, " of image ", i / per_image, " is ", value,
                       ", expected a finite number");
  return images;
}

}  // namespace bitgrad::cli
