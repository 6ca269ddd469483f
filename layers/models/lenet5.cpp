#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {

Model lenet5(const Shape& input_shape, Index classes, Index width) {
  const auto hidden = [&](Index units) {
    return Dense({.units = units * width, .initializer = initializers::he_normal()});
  };
  Sequential model(Conv2D({.filters = 6 * width, .kernel = 5}), ReLU(),
                   MaxPool2D(),  // padded, where the original had 32x32 images
                   Conv2D({.filters = 16 * width, .kernel = 5, .padding = Padding::valid()}), ReLU(), MaxPool2D(),  //
                   Flatten(), hidden(120), ReLU(), hidden(84), ReLU(), Dense({.units = classes}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
