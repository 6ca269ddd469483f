#pragma once

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct DropoutOptions {
  float rate = 0.5F;  ///< probability of a zero, in [0, 1)
  std::string name = {};
};

/// In training, each element becomes zero with probability `rate`, the others are divided by 1 - rate; otherwise the
/// identity. Srivastava et al., "Dropout", JMLR 2014 (section 10: scaling in training). Which ones: a function of
/// Context::seed and Context::stream alone. ValueError for a rate out of range.
class Dropout : public LayerOf<Dropout> {
 public:
  explicit Dropout(DropoutOptions options = {});
  std::string_view type() const override { return "Dropout"; }
  std::string_view name_stem() const override { return "dropout"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  float rate() const { return rate_; }

 private:
  float rate_;
};

}  // namespace bitgrad
