// The structure is that of MLPerf Tiny's reference (github.com/mlcommons/tiny, keras_model.py, resnet_v1_eembc with 16
// filters), biases included; its average pooling over the whole image is written as a global one.
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {
namespace {

Conv2D conv(Index filters, int kernel, int stride) {
  return Conv2D({.filters = filters, .kernel = kernel, .stride = stride});
}

Model stack(Index filters, int stride) {
  const Sequential main(conv(filters, 3, stride), BatchNorm(), ReLU(), conv(filters, 3, 1), BatchNorm());
  return stride == 1 ? residual(main) : residual(main, Sequential(conv(filters, 1, stride)));
}

}  // namespace

Model resnet8(const Shape& input_shape, Index classes, Index width) {
  Model model;
  auto x = model.add(conv(16 * width, 3, 1), model.input());
  x = model.add(BatchNorm(), x);
  x = model.add(ReLU(), x);
  x = model.add(stack(16 * width, 1), x, "stack1");
  x = model.add(ReLU(), x);
  x = model.add(stack(32 * width, 2), x, "stack2");
  x = model.add(ReLU(), x);
  x = model.add(stack(64 * width, 2), x, "stack3");
  x = model.add(ReLU(), x);
  x = model.add(GlobalAveragePool2D(), x);
  model.add(Dense({.units = classes, .initializer = initializers::he_normal()}), x);
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
