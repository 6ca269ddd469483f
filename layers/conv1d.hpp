#pragma once

#include <bitgrad/autograd/operations/convolution.hpp>
#include <bitgrad/layers/initializers.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct Conv1DOptions {
  Index filters = 0;  ///< output channels; must be given
  Index kernel = 0;   ///< positions; must be given
  Index stride = 1;   ///< positions
  /// Zeros in front and behind are `left` and `right`: what Keras calls causal is explicit_(0, 0, (kernel - 1) *
  /// dilation, 0).
  Padding padding = Padding::same();
  Index dilation = 1;  ///< distance in positions between neighbouring elements of the kernel: 1 has no gaps
  Index groups = 1;    ///< equal parts of the channels, each convolved by itself
  bool bias = true;
  Initializer initializer = initializers::he_normal();  ///< of the kernel; the bias starts at zero
  std::string name = {};
};

/// One-dimensional cross-correlation: [batch, length, in] to [batch, length', filters]. It is the convolution of images
/// of height 1, between reshapes that copy nothing, in training and in the inference graph; so the weights are "kernel"
/// [1, k, in / groups, filters], in memory Keras' [k, in / groups, filters], and "bias" [filters]. Throws ValueError
/// for filters, kernel, stride, dilation or groups below 1, for padding above or below and for an empty initializer,
/// ShapeError for inputs of another rank, channels or filters that do not divide by the groups and for a kernel that is
/// longer than the padded input.
class Conv1D : public LayerOf<Conv1D> {
 public:
  explicit Conv1D(Conv1DOptions options);

  std::string_view type() const override { return "Conv1D"; }
  std::string_view name_stem() const override { return "conv1d"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const Conv1DOptions& options() const { return options_; }
  /// Of the convolution of images of height 1.
  Conv2DArguments window() const;

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;
  Shape kernel_shape(Index channels) const;

  Conv1DOptions options_;
};

}  // namespace bitgrad
