// Pooling of [batch, h, w, channels].
#pragma once

#include <bitgrad/layers/extent.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct Pool2DOptions {
  Extent2D window = 2;  ///< pixels, one number for both
  Extent2D stride = 0;  ///< pixels; 0 stands for the window's extents
  Padding padding = Padding::valid();
  std::string name = {};
};

/// What max and average pooling share. ValueError for a window or stride below 1 and for padding as large as the
/// window, ShapeError for inputs of another rank and a window larger than the padded image.
template <class Derived>
class Pool2D : public LayerOf<Derived> {
 public:
  std::string_view name_stem() const override { return "pool"; }
  Shape output_shape(std::span<const Shape> inputs) const override;

  const Pool2DOptions& options() const { return options_; }
  PoolWindow window() const { return options_.window; }
  Stride stride() const { return options_.stride; }
  const Padding& padding() const { return options_.padding; }

 protected:
  Pool2D(std::string_view type, Pool2DOptions options);

 private:
  Pool2DOptions options_;
};

/// The largest pixel of each window; padding never wins.
class MaxPool2D : public Pool2D<MaxPool2D> {
 public:
  explicit MaxPool2D(Pool2DOptions options = {}) : Pool2D("MaxPool2D", std::move(options)) {}
  std::string_view type() const override { return "MaxPool2D"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

/// The mean of each window's pixels; padding does not count.
class AveragePool2D : public Pool2D<AveragePool2D> {
 public:
  explicit AveragePool2D(Pool2DOptions options = {}) : Pool2D("AveragePool2D", std::move(options)) {}
  std::string_view type() const override { return "AveragePool2D"; }
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

/// The mean over height and width: [batch, h, w, channels] to [batch, channels]. ShapeError for inputs of another rank.
class GlobalAveragePool2D : public LayerOf<GlobalAveragePool2D> {
 public:
  explicit GlobalAveragePool2D(std::string name = {}) : LayerOf(std::move(name)) {}
  std::string_view type() const override { return "GlobalAveragePool2D"; }
  std::string_view name_stem() const override { return "global_pool"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

}  // namespace bitgrad
