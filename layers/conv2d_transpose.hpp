#pragma once

#include <bitgrad/autograd/operations/convolution.hpp>
#include <bitgrad/layers/extent.hpp>
#include <bitgrad/layers/initializers.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct Conv2DTransposeOptions {
  Index filters = 0;    ///< output channels; must be given
  Extent2D kernel = 0;  ///< pixels, one number for both; must be given
  Extent2D stride = 1;  ///< pixels of the result between neighbouring pixels of the input
  /// Of the convolution that is turned round, so that more of it makes the result smaller.
  Padding padding = Padding::same();
  Extent2D dilation = 1;  ///< distance in pixels between neighbouring elements of the kernel: 1 has no gaps
  bool bias = true;
  Initializer initializer = initializers::he_normal();  ///< of the kernel; the bias starts at zero
  std::string name = {};
};

/// Transposed convolution, which makes images larger: [batch, h, w, in] to [batch, h', w', filters], with weights
/// "kernel" [kh, kw, in, filters] (Keras has [kh, kw, filters, in]) and "bias" [filters]. As in Keras, h' is h * stride
/// with padding "same" and (h - 1) * stride + max(k', stride) with "valid", k' = (kh - 1) * dilation + 1; explicit
/// padding as in conv2d_transpose_geometry(). In an inference graph it is two operations, zeros between pixels and a
/// convolution with stride 1, whose codes are those of the same integer sum. Initializers count all kh * kw * in
/// elements, although only about 1 in stride * stride of them meets one output. Throws ValueError for filters, kernel,
/// stride or dilation below 1, for padding as large as the kernel and for an empty initializer, ShapeError for inputs
/// of another rank.
class Conv2DTranspose : public LayerOf<Conv2DTranspose> {
 public:
  explicit Conv2DTranspose(Conv2DTransposeOptions options);

  std::string_view type() const override { return "Conv2DTranspose"; }
  std::string_view name_stem() const override { return "conv_transpose"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const Conv2DTransposeOptions& options() const { return options_; }
  /// Of the convolution that is turned round.
  Conv2DArguments window() const;

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;
  Shape kernel_shape(const Shape& input) const;

  Conv2DTransposeOptions options_;
};

}  // namespace bitgrad
