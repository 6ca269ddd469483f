#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>

namespace bitgrad::models {
namespace {

struct Block {
  Index filters;  // in quarters of the paper's
  int stride;
};
// Table 1 of the paper.
constexpr Block blocks[] = {{16, 1},  {32, 2},  {32, 1},  {64, 2},  {64, 1},  {128, 2}, {128, 1},
                            {128, 1}, {128, 1}, {128, 1}, {128, 1}, {256, 2}, {256, 1}};

}  // namespace

Model mobilenet_v1(const Shape& input_shape, Index classes, Index width) {
  Sequential model(Conv2D({.filters = 8 * width, .kernel = 3, .stride = 2, .bias = false}), BatchNorm(), ReLU());
  for (const auto& [filters, stride] : blocks)
    model.append(Sequential(DepthwiseConv2D({.kernel = 3, .stride = stride, .bias = false}), BatchNorm(), ReLU(),
                            Conv2D({.filters = filters * width, .kernel = 1, .bias = false}), BatchNorm(), ReLU()));
  model.append(GlobalAveragePool2D());
  model.append(Dense({.units = classes, .initializer = initializers::he_normal()}));
  model.output_shape(input_shape);
  return model;
}

}  // namespace bitgrad::models
