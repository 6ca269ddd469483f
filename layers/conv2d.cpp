#include <bitgrad/layers/conv2d.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

Conv2D::Conv2D(Conv2DOptions options) : LayerOf(options.name), options_(std::move(options)) {
  const auto& [filters, kernel, stride, padding, dilation, groups, bias, initializer, name] = options_;
  if (filters < 1) fail<ValueError>("Conv2D: filters is ", filters, ", expected at least 1");
  require_positive("Conv2D: kernel", kernel);
  require_positive("Conv2D: stride", stride);
  require_positive("Conv2D: dilation", dilation);
  if (groups < 1) fail<ValueError>("Conv2D: groups is ", groups, ", expected at least 1");
  if (!initializer) fail<ValueError>("Conv2D: the initializer is empty");
}

Conv2DArguments Conv2D::window() const {
  return {options_.stride, options_.padding, {options_.dilation.h, options_.dilation.w}, options_.groups};
}

Shape Conv2D::kernel_shape(const Shape& input) const {
  return {options_.kernel.h, options_.kernel.w, input[-1] / options_.groups, options_.filters};
}

Shape Conv2D::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = image_input(inputs, type());
  return bitgrad::output_shape(conv2d_geometry(input.prepended(1), kernel_shape(input), window())).without_front();
}

void Conv2D::create_weights(std::span<const Shape> inputs, Random& random) {
  add_weight("kernel", options_.initializer(kernel_shape(inputs.front()), random));
  if (options_.bias) add_weight("bias", Tensor::zeros({options_.filters}));
}

Variable Conv2D::apply(std::span<const Variable> inputs, const Weights& weights, const Context&) {
  const Variable& x = single_input(inputs, type());
  if (!options_.bias) return conv2d(x, weights["kernel"], window());
  return conv2d(x, weights["kernel"], weights["bias"], window());
}

GraphValue Conv2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  const Tensor bias = options_.bias ? weight("bias")->value() : Tensor();
  return builder.conv2d(inputs.front(), window(), {"kernel", weight("kernel")->value()}, {"bias", bias});
}

}  // namespace bitgrad
