#include <bitgrad/layers/depthwise_conv2d.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

DepthwiseConv2D::DepthwiseConv2D(DepthwiseConv2DOptions options) : LayerOf(options.name), options_(std::move(options)) {
  require_positive("DepthwiseConv2D: kernel", options_.kernel);
  require_positive("DepthwiseConv2D: stride", options_.stride);
  require_positive("DepthwiseConv2D: dilation", options_.dilation);
  if (options_.depth_multiplier < 1)
    fail<ValueError>("DepthwiseConv2D: depth_multiplier is ", options_.depth_multiplier, ", expected at least 1");
  if (!options_.initializer) fail<ValueError>("DepthwiseConv2D: the initializer is empty");
}

Conv2DArguments DepthwiseConv2D::window(Index channels) const {
  return {options_.stride, options_.padding, {options_.dilation.h, options_.dilation.w}, channels};
}

Shape DepthwiseConv2D::kernel_shape(Index channels) const {
  return {options_.kernel.h, options_.kernel.w, 1, channels * options_.depth_multiplier};
}

Shape DepthwiseConv2D::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = image_input(inputs, type());
  return bitgrad::output_shape(conv2d_geometry(input.prepended(1), kernel_shape(input[-1]), window(input[-1])))
      .without_front();
}

void DepthwiseConv2D::create_weights(std::span<const Shape> inputs, Random& random) {
  const Shape kernel = kernel_shape(inputs.front()[-1]);
  add_weight("kernel", options_.initializer(kernel, random));
  if (options_.bias) add_weight("bias", Tensor::zeros({kernel[-1]}));
}

Variable DepthwiseConv2D::apply(std::span<const Variable> inputs, const Weights& weights, const Context&) {
  const Variable& x = single_input(inputs, type());
  const Conv2DArguments window = this->window(weights["kernel"].shape()[-1] / options_.depth_multiplier);
  if (!options_.bias) return conv2d(x, weights["kernel"], window);
  return conv2d(x, weights["kernel"], weights["bias"], window);
}

GraphValue DepthwiseConv2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  const Tensor bias = options_.bias ? weight("bias")->value() : Tensor();
  return builder.conv2d(inputs.front(), window(builder.shape(inputs.front())[-1]),
                        {"kernel", weight("kernel")->value()}, {"bias", bias});
}

}  // namespace bitgrad
