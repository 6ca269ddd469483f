#pragma once

#include <bitgrad/layers/extent.hpp>
#include <bitgrad/layers/initializers.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct DepthwiseConv2DOptions {
  Extent2D kernel = 0;         ///< pixels, one number for both; must be given
  Index depth_multiplier = 1;  ///< output channels per input channel
  Extent2D stride = 1;         ///< pixels
  Padding padding = Padding::same();
  Extent2D dilation = 1;  ///< distance in pixels between neighbouring elements of the kernel: 1 has no gaps
  bool bias = true;
  Initializer initializer = initializers::he_normal();  ///< of the kernel; the bias starts at zero
  std::string name = {};
};

/// Every channel convolved by itself: [batch, h, w, in] to [batch, h', w', in * M] with M = depth_multiplier; output
/// channel c * M + m is channel c under its m-th kernel. Weights "kernel" [kh, kw, 1, in * M] and "bias" [in * M]: a
/// Conv2D with one group per input channel, whose last axis are the output channels as everywhere, so that whatever is
/// per channel knows one axis. In memory it is Keras' depthwise kernel [kh, kw, in, M]: reshape() turns one into the
/// other. Throws ValueError for kernel, multiplier, stride or dilation below 1 and for an empty initializer,
/// ShapeError for a kernel that is larger than the padded image.
class DepthwiseConv2D : public LayerOf<DepthwiseConv2D> {
 public:
  explicit DepthwiseConv2D(DepthwiseConv2DOptions options);

  std::string_view type() const override { return "DepthwiseConv2D"; }
  std::string_view name_stem() const override { return "depthwise"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const DepthwiseConv2DOptions& options() const { return options_; }
  /// For inputs of that many channels.
  Conv2DArguments window(Index channels) const;

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;
  Shape kernel_shape(Index channels) const;

  DepthwiseConv2DOptions options_;
};

}  // namespace bitgrad
