// Layers that join several values into one.
#pragma once

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

/// The sum of two values of one shape. ShapeError for another number of inputs, and for two shapes.
class Add : public LayerOf<Add> {
 public:
  explicit Add(std::string name = {}) : LayerOf(std::move(name)) {}
  std::string_view type() const override { return "Add"; }
  std::string_view name_stem() const override { return "add"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

struct WhereOptions {
  Tensor mask;  ///< of the shape of a sample, any dtype: not 0 where the first input is chosen
  std::string name = {};
};

/// The first of two values of one shape where a fixed mask is not 0, the second elsewhere. The mask is the buffer
/// "mask" of 0 and 1, int32; it is not trained. Between values on one grid codes are chosen; otherwise it is a float32
/// node between integer ones. ShapeError for an undefined mask, and for inputs that have not its shape.
class Where : public LayerOf<Where> {
 public:
  explicit Where(WhereOptions options);
  std::string_view type() const override { return "Where"; }
  std::string_view name_stem() const override { return "where"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
};

struct ConcatOptions {
  int axis = -1;  ///< of the per-sample shape: -1 are the channels, 0 is the height of an image
  std::string name = {};
};

/// Values one after the other along an axis. ShapeError for none, where their other extents differ, and for an axis out
/// of range.
class Concat : public LayerOf<Concat> {
 public:
  explicit Concat(ConcatOptions options = {});
  std::string_view type() const override { return "Concat"; }
  std::string_view name_stem() const override { return "concat"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) override;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  int axis() const { return axis_; }

 private:
  int axis_;
};

}  // namespace bitgrad
