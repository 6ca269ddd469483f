#pragma once

#include <bitgrad/layers/initializers.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct DenseOptions {
  Index units = 0;  ///< outputs; must be given
  bool bias = true;
  Initializer initializer = initializers::glorot_uniform();  ///< of the kernel; the bias starts at zero
  std::string name = {};
};

/// A matrix product: [batch, in] to [batch, units], with weights "kernel" [in, units] and "bias" [units]. Throws
/// ValueError for units below 1, ShapeError for inputs that are not flat.
class Dense : public LayerOf<Dense> {
 public:
  explicit Dense(DenseOptions options);

  std::string_view type() const override { return "Dense"; }
  std::string_view name_stem() const override { return "dense"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const DenseOptions& options() const { return options_; }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;

  DenseOptions options_;
};

}  // namespace bitgrad
