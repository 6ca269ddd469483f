#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {

Model mlp(const Shape& input_shape, Index classes, Index width) {
  Sequential model(Flatten(),                                                                        //
                   Dense({.units = 128 * width, .initializer = initializers::he_normal()}), ReLU(),  //
                   Dense({.units = 64 * width, .initializer = initializers::he_normal()}), ReLU(),   //
                   Dense({.units = classes}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
