#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {
namespace {

Conv2D conv(Index filters, int kernel, int stride) {
  return Conv2D({.filters = filters, .kernel = kernel, .stride = stride, .bias = false});
}

Model block(Index filters, int stride) {
  const Sequential main(conv(filters, 3, stride), BatchNorm(), ReLU(), conv(filters, 3, 1), BatchNorm());
  return stride == 1 ? residual(main) : residual(main, Sequential(conv(filters, 1, stride), BatchNorm()));
}

}  // namespace

Model resnet20(const Shape& input_shape, Index classes, Index width) {
  Sequential model(conv(16 * width, 3, 1), BatchNorm(), ReLU());
  for (const Index filters : {16, 32, 64})
    for (const int i : {0, 1, 2}) {
      model.append(block(filters * width, filters > 16 && i == 0 ? 2 : 1));
      model.append(ReLU());
    }
  model.append(GlobalAveragePool2D());
  model.append(Dense({.units = classes, .initializer = initializers::he_normal()}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
