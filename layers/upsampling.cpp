#include <bitgrad/layers/upsampling.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {

UpSampling2D::UpSampling2D(UpSampling2DOptions options) : LayerOf(options.name), options_(std::move(options)) {
  require_positive("UpSampling2D: factor", options_.factor);
}

Shape UpSampling2D::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = image_input(inputs, type());
  return {input[0] * options_.factor.h, input[1] * options_.factor.w, input[2]};
}

Variable UpSampling2D::apply(std::span<const Variable> inputs, const Weights&, const Context&) {
  return upsample2d(single_input(inputs, type()), factor(), options_.interpolation);
}

GraphValue UpSampling2D::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.upsample2d(inputs.front(), factor(), options_.interpolation);
}

}  // namespace bitgrad
