#pragma once

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct LayerNormOptions {
  float epsilon = 1e-3F;  ///< added to the variance, as in Keras; positive
  std::string name = {};
};

/// Normalisation of every sample and position over its channels (the last axis), then gamma * x + beta; the same in
/// training and inference. Ba, Kiros, Hinton, "Layer normalization", 2016; Keras' LayerNormalization. Weights "gamma"
/// and "beta" [channels]. It has no integer form: in an inference graph it is a float32 node between integer ones.
/// ValueError for an epsilon that is not positive, ShapeError for an input without channels.
class LayerNorm : public LayerOf<LayerNorm> {
 public:
  explicit LayerNorm(LayerNormOptions options = {});

  std::string_view type() const override { return "LayerNorm"; }
  std::string_view name_stem() const override { return "layer_norm"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const LayerNormOptions& options() const { return options_; }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;

  LayerNormOptions options_;
};

}  // namespace bitgrad
