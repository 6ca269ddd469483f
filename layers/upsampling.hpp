#pragma once

#include <bitgrad/core/kernels/upsample.hpp>
#include <bitgrad/layers/extent.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct UpSampling2DOptions {
  Extent2D factor = 2;  ///< whole numbers, one for both
  Interpolation interpolation = Interpolation::nearest;
  std::string name = {};
};

/// Images enlarged: [batch, h, w, channels] to [batch, h * factor, w * factor, channels]. Repeating pixels copies codes
/// in an inference graph; bilinear interpolation has no integer form and is a float32 node between integer ones.
/// ValueError for a factor below 1, ShapeError for inputs of another rank.
class UpSampling2D : public LayerOf<UpSampling2D> {
 public:
  explicit UpSampling2D(UpSampling2DOptions options = {});

  std::string_view type() const override { return "UpSampling2D"; }
  std::string_view name_stem() const override { return "upsampling"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const UpSampling2DOptions& options() const { return options_; }
  UpsampleFactor factor() const { return {options_.factor.h, options_.factor.w}; }

 private:
  UpSampling2DOptions options_;
};

}  // namespace bitgrad
