#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {

Model fashion_cnn(const Shape& input_shape, Index classes, Index width) {
  Sequential model;
  for (const Index filters : {16, 32, 64}) {
    model.append(Conv2D({.filters = filters * width, .kernel = 3, .bias = false}));
    model.append(BatchNorm());
    model.append(ReLU());
    model.append(MaxPool2D());
  }
  model.append(Flatten());
  model.append(Dropout({.rate = 0.25F}));
  model.append(Dense({.units = 96 * width, .initializer = initializers::he_normal()}));
  model.append(ReLU());
  model.append(Dropout({.rate = 0.25F}));
  model.append(Dense({.units = classes}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
