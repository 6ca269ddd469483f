#include <bitgrad/layers/extent.hpp>

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

void require_positive(std::string_view what, const Extent2D& extent) {
  if (extent.h < 1 || extent.w < 1) fail<ValueError>(what, " is (", extent.h, ", ", extent.w, "), expected at least 1");
}

const Shape& image_input(std::span<const Shape> inputs, std::string_view layer_type) {
  const Shape& input = single_input(inputs, layer_type);
  if (input.rank() != 3)
    fail<ShapeError>(layer_type, ": input of shape ", input, " per sample, expected (height, width, channels)");
  return input;
}

}  // namespace bitgrad
