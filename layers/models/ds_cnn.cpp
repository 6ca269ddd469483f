// The structure is that of MLPerf Tiny's reference (github.com/mlcommons/tiny, keyword_spotting), biases and dropout
// included; its average pooling over the whole map is written as a global one.
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {

Model ds_cnn(const Shape& input_shape, Index classes, Index width) {
  const Index filters = 64 * width;
  Sequential model(Conv2D({.filters = filters, .kernel = {10, 4}, .stride = 2}), BatchNorm(), ReLU(),
                   Dropout({.rate = 0.2F}));
  for (int i = 0; i < 4; ++i)
    model.append(Sequential(DepthwiseConv2D({.kernel = 3}), BatchNorm(), ReLU(),
                            Conv2D({.filters = filters, .kernel = 1}), BatchNorm(), ReLU()));
  model.append(Dropout({.rate = 0.4F}));
  model.append(GlobalAveragePool2D());
  model.append(Dense({.units = classes, .initializer = initializers::he_normal()}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
