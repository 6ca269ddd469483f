#include <bitgrad/layers/conv1d.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

void require_at_least_one(const char* what, Index value) {
  if (value < 1) fail<ValueError>("Conv1D: ", what, " is ", value, ", expected at least 1");
}

}  // namespace

Conv1D::Conv1D(Conv1DOptions options) : LayerOf(options.name), options_(std::move(options)) {
  require_at_least_one("filters", options_.filters);
  require_at_least_one("kernel", options_.kernel);
  require_at_least_one("stride", options_.stride);
  require_at_least_one("dilation", options_.dilation);
  require_at_least_one("groups", options_.groups);
  const Padding& padding = options_.padding;
  if (padding.kind == Padding::Kind::explicit_ && (padding.top != 0 || padding.bottom != 0))
    fail<ValueError>("Conv1D: the padding is ", padding.top, " above and ", padding.bottom,
                     " below, expected 0: sequences have a left and a right end");
  if (!options_.initializer) fail<ValueError>("Conv1D: the initializer is empty");
}

Conv2DArguments Conv1D::window() const {
  return {{1, options_.stride}, options_.padding, {1, options_.dilation}, options_.groups};
}

Shape Conv1D::kernel_shape(Index channels) const {
  return {1, options_.kernel, channels / options_.groups, options_.filters};
}

Shape Conv1D::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = single_input(inputs, type());
  if (input.rank() != 2) fail<ShapeError>("Conv1D: input of shape ", input, " per sample, expected (length, channels)");
  const Shape image{1, 1, input[0], input[1]};
  const Shape output = bitgrad::output_shape(conv2d_geometry(image, kernel_shape(input[1]), window()));
  return {output[2], output[3]};
}

void Conv1D::create_weights(std::span<const Shape> inputs, Random& random) {
  add_weight("kernel", options_.initializer(kernel_shape(inputs.front()[1]), random));
  if (options_.bias) add_weight("bias", Tensor::zeros({options_.filters}));
}

Variable Conv1D::apply(std::span<const Variable> inputs, const Weights& weights, const Context&) {
  const Variable& x = single_input(inputs, type());
  if (x.shape().rank() != 3) fail<ShapeError>("Conv1D: input is ", x.shape(), ", expected (batch, length, channels)");
  const Variable image = reshape(x, {x.shape()[0], 1, x.shape()[1], x.shape()[2]});
  const Variable y = options_.bias ? conv2d(image, weights["kernel"], weights["bias"], window())
                                   : conv2d(image, weights["kernel"], window());
  return reshape(y, {y.shape()[0], y.shape()[2], y.shape()[3]});
}

GraphValue Conv1D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  const Shape input = builder.shape(inputs.front());
  const GraphValue image = builder.reshape(inputs.front(), {1, input[0], input[1]});
  const Tensor bias = options_.bias ? weight("bias")->value() : Tensor();
  const GraphValue y = builder.conv2d(image, window(), {"kernel", weight("kernel")->value()}, {"bias", bias});
  const Shape output = builder.shape(y);
  return builder.reshape(y, {output[1], output[2]});
}

}  // namespace bitgrad
