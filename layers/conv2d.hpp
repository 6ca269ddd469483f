#pragma once

#include <bitgrad/layers/extent.hpp>
#include <bitgrad/layers/initializers.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct Conv2DOptions {
  Index filters = 0;    ///< output channels; must be given
  Extent2D kernel = 0;  ///< pixels, one number for both; must be given
  Extent2D stride = 1;  ///< pixels
  Padding padding = Padding::same();
  Extent2D dilation = 1;  ///< distance in pixels between neighbouring elements of the kernel: 1 has no gaps
  Index groups = 1;       ///< equal parts of the channels, each convolved by itself
  bool bias = true;
  Initializer initializer = initializers::he_normal();  ///< of the kernel; the bias starts at zero
  std::string name = {};
};

/// Two-dimensional cross-correlation: [batch, h, w, in] to [batch, h', w', filters], with weights "kernel" [kh, kw, in
/// / groups, filters] and "bias" [filters]. Throws ValueError for filters, kernel, stride, dilation or groups below 1
/// and for an empty initializer, ShapeError for channels or filters that do not divide by the groups and for a kernel
/// that is larger than the padded image.
class Conv2D : public LayerOf<Conv2D> {
 public:
  explicit Conv2D(Conv2DOptions options);

  std::string_view type() const override { return "Conv2D"; }
  std::string_view name_stem() const override { return "conv"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const Conv2DOptions& options() const { return options_; }
  /// As the operation conv2d() takes it.
  Conv2DArguments window() const;

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;
  Shape kernel_shape(const Shape& input) const;

  Conv2DOptions options_;
};

}  // namespace bitgrad
