// The contract of a layer.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/autograd/operations/pending.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/graph_builder.hpp>
#include <bitgrad/layers/weights.hpp>

namespace bitgrad {

class Model;

/// What a forward pass depends on besides its inputs.
struct Context {
  bool training = false;         ///< batch statistics, dropout
  std::uint64_t seed = 0;        ///< randomness of this step; the trainer changes it every step
  std::uint64_t stream = 0;      ///< which layer draws; Model sets it
  const Model* model = nullptr;  ///< the model that runs the layer; Model sets it
};

/// A tensor that belongs to the state of a layer but is not trained (running statistics). The handle is shared with the
/// layer: writing its elements changes the layer.
struct NamedBuffer {
  std::string name;
  Tensor value;
};

class Layer;

/// A layer inside another.
struct NamedLayer {
  std::string name;
  Layer* layer;
};

/// A layer is pure in its weights: apply() computes with the weights it is given, forward() gives it its own. So others
/// can compute with changed weights without touching the layer. Shapes passed to build() and output_shape() are per
/// sample; tensors passed to apply() and forward() have the batch axis in front.
class Layer {
 public:
  virtual ~Layer() = default;

  /// The class name users know: "Conv2D".
  virtual std::string_view type() const = 0;
  /// Stem of automatic names: "conv" gives conv1, conv2, ...
  virtual std::string_view name_stem() const = 0;
  /// The name asked for in the options; empty for an automatic one.
  const std::string& name() const { return name_; }

  /// Output shape for these inputs; ShapeError when the layer cannot take them.
  virtual Shape output_shape(std::span<const Shape> inputs) const = 0;
  /// Creates the weights for inputs of these shapes and initialises them from `random`; a second call with the same
  /// shapes does nothing, with others it throws StateError. Returns output_shape(inputs).
  Shape build(std::span<const Shape> inputs, Random& random);
  bool built() const { return built_; }

  /// The computation, with the given weights. Recorded when a tape is in scope. Only training mode changes buffers.
  /// ShapeError for inputs that the layer cannot take, StateError for a weight that is missing.
  virtual Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) = 0;
  /// apply() with the layer's own weights. StateError before build().
  Variable forward(std::span<const Variable> inputs, const Context& context = {});
  Variable forward(const Variable& input, const Context& context = {}) { return forward({&input, 1}, context); }

  /// The same for one input, as a link of a chain: x may have steps that are still to be taken, and so may the result,
  /// so that normalisation, clamp and whatever follows them cost one pass over memory instead of one each. By default
  /// it is apply(x.value()). A layer that is such a step, or ends in one, overrides it along with apply() and gives the
  /// same numbers.
  virtual Pending apply_pending(const Pending& x, const Weights& weights, const Context& context);
  /// apply_pending() with the layer's own weights. StateError before build().
  Pending forward_pending(const Pending& x, const Context& context);

  /// Describes the inference behaviour to a builder; returns the output. Throws what the builder throws, and StateError
  /// for a layer that needs a builder of another class.
  virtual GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const = 0;

  /// A deep copy: weights and buffers are the copy's own.
  virtual std::unique_ptr<Layer> clone() const = 0;

  /// The layers that this one is made of and runs inside apply(), under names that differ; none for most. Whoever
  /// changes all layers of a model finds them here.
  virtual std::vector<NamedLayer> sublayers() const { return {}; }
  /// Everything trainable in a stable order: the layer's own weights, then those of sublayers, "NAME/" in front.
  virtual std::vector<NamedParameter> parameters() const;
  /// Everything else that belongs to the state, likewise.
  virtual std::vector<NamedBuffer> buffers() const;

  /// The layer's own weights by name, as parameters and as values for apply().
  const std::vector<NamedParameter>& weights() const { return weights_; }
  bool has_weight(std::string_view name) const;
  /// Throws ValueError naming the layer and its weights when there is none of that name.
  const ParameterPtr& weight(std::string_view name) const;
  /// What forward() computes with: the tape's leaves of the parameters, constants without a tape.
  virtual Weights weight_values() const;
  /// Throws ValueError naming the layer and its buffers when there is none of that name.
  const Tensor& buffer(std::string_view name) const;

 protected:
  Layer() = default;
  explicit Layer(std::string name) : name_(std::move(name)) {}
  /// Copies are deep.
  Layer(const Layer& other);
  Layer& operator=(const Layer&) = delete;
  Layer(Layer&&) = default;

  /// Creates the weights by add_weight() and add_buffer(); called once by build().
  virtual void create_weights(std::span<const Shape> inputs, Random& random);
  /// Under names that differ (InternalError otherwise).
  void add_weight(std::string_view name, Tensor value);
  void add_buffer(std::string_view name, Tensor value);

 private:
  void require_built() const;

  std::string name_;
  bool built_ = false;
  std::vector<Shape> built_for_;
  std::vector<NamedParameter> weights_;
  std::vector<NamedBuffer> buffers_;
};

using LayerPtr = std::unique_ptr<Layer>;

/// Gives a layer its clone(): `class Conv2D : public LayerOf<Conv2D>`.
template <class Derived>
class LayerOf : public Layer {
 public:
  using Layer::Layer;
  // Not make_unique: a pointer type of every layer takes compilers longer than all the rest of this header.
  LayerPtr clone() const override { return LayerPtr(new Derived(static_cast<const Derived&>(*this))); }
};

/// Calls f(layer) for a layer and for everything inside it, outermost first.
template <class F>
void for_each_layer(Layer& layer, F&& f) {
  f(layer);
  for (const NamedLayer& inner : layer.sublayers()) for_each_layer(*inner.layer, f);
}

/// The only shape or value of a layer with one input; ShapeError naming the layer type otherwise.
const Shape& single_input(std::span<const Shape> inputs, std::string_view layer_type);
const Variable& single_input(std::span<const Variable> inputs, std::string_view layer_type);
/// ShapeError naming the layer type unless the last axis of x has this extent: arithmetic alone would repeat a single
/// channel without a word.
void require_channels(const Variable& x, Index channels, std::string_view layer_type);

}  // namespace bitgrad
