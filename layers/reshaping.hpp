// The same elements under another shape, or with zeros around them.
#pragma once

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

/// [batch, ...] to [batch, elements], row-major.
class Flatten : public LayerOf<Flatten> {
 public:
  explicit Flatten(std::string name = {}) : LayerOf(std::move(name)) {}
  std::string_view type() const override { return "Flatten"; }
  std::string_view name_stem() const override { return "flatten"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

struct ReshapeOptions {
  Shape shape = {};  ///< per sample, of as many elements as the input
  std::string name = {};
};

/// [batch, ...] to [batch, shape...], row-major. ValueError for a shape without axes, ShapeError for inputs of another
/// number of elements.
class Reshape : public LayerOf<Reshape> {
 public:
  explicit Reshape(ReshapeOptions options);
  std::string_view type() const override { return "Reshape"; }
  std::string_view name_stem() const override { return "reshape"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

 private:
  Shape shape_;
};

struct ZeroPadding2DOptions {
  Padding padding = Padding::explicit_(1, 1, 1, 1);
  std::string name = {};
};

/// Zeros around height and width of [batch, h, w, channels]. ValueError unless the padding is Padding::explicit_,
/// ShapeError for inputs of another rank.
class ZeroPadding2D : public LayerOf<ZeroPadding2D> {
 public:
  explicit ZeroPadding2D(ZeroPadding2DOptions options = {});
  std::string_view type() const override { return "ZeroPadding2D"; }
  std::string_view name_stem() const override { return "pad"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  const Padding& padding() const { return padding_; }

 private:
  Padding padding_;
};

}  // namespace bitgrad
