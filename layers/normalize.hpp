#pragma once

#include <vector>

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct NormalizeOptions {
  std::vector<float> mean = {0};       ///< one number, or one per channel
  std::vector<float> deviation = {1};  ///< likewise; positive
  std::string name = {};
};

/// (x - mean) / deviation with fixed numbers over the last axis: what a data set needs, carried by the model. They are
/// buffers "mean" and "deviation". ValueError for no numbers, for numbers that are not finite and a deviation that is
/// not positive, ShapeError for inputs of another number of channels.
class Normalize : public LayerOf<Normalize> {
 public:
  explicit Normalize(NormalizeOptions options);
  std::string_view type() const override { return "Normalize"; }
  std::string_view name_stem() const override { return "normalize"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

}  // namespace bitgrad
