#include <bitgrad/layers/conv2d_transpose.hpp>

namespace bitgrad {

Conv2DTranspose::Conv2DTranspose(Conv2DTransposeOptions options) : LayerOf(options.name), options_(std::move(options)) {
  if (options_.filters < 1) fail<ValueError>("Conv2DTranspose: filters is ", options_.filters, ", expected at least 1");
  require_positive("Conv2DTranspose: kernel", options_.kernel);
  require_positive("Conv2DTranspose: stride", options_.stride);
  require_positive("Conv2DTranspose: dilation", options_.dilation);
  if (!options_.initializer) fail<ValueError>("Conv2DTranspose: the initializer is empty");
}

Conv2DArguments Conv2DTranspose::window() const {
  return {options_.stride, options_.padding, {options_.dilation.h, options_.dilation.w}};
}

Shape Conv2DTranspose::kernel_shape(const Shape& input) const {
  return {options_.kernel.h, options_.kernel.w, input[-1], options_.filters};
}

Shape Conv2DTranspose::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = image_input(inputs, type());
  return input_shape(conv2d_transpose_geometry(input.prepended(1), kernel_shape(input), window())).without_front();
}

void Conv2DTranspose::create_weights(std::span<const Shape> inputs, Random& random) {
  add_weight("kernel", options_.initializer(kernel_shape(inputs.front()), random));
  if (options_.bias) add_weight("bias", Tensor::zeros({options_.filters}));
}

Variable Conv2DTranspose::apply(std::span<const Variable> inputs, const Weights& weights, const Context&) {
  const Variable& x = single_input(inputs, type());
  if (!options_.bias) return conv2d_transpose(x, weights["kernel"], window());
  return conv2d_transpose(x, weights["kernel"], weights["bias"], window());
}

GraphValue Conv2DTranspose::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  const Tensor bias = options_.bias ? weight("bias")->value() : Tensor();
  return builder.conv2d_transpose(inputs.front(), window(), {"kernel", weight("kernel")->value()}, {"bias", bias});
}

}  // namespace bitgrad
