// Layers composed into a model: chains, branches, residual blocks.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

/// How load_state_dict() treats names that are only on one side.
enum class LoadMode {
  complete,  ///< missing or unexpected names throw ValueError that lists them; nothing is loaded
  partial,   ///< what fits by name is loaded, the rest is reported
};

struct LoadReport {
  std::vector<std::string> missing;     ///< in the model, not in the file
  std::vector<std::string> unexpected;  ///< in the file, not in the model
};

/// A directed acyclic graph of layers with one input and one output, in order of execution. Layers are added with the
/// values they read:
///
///     Model m;
///     auto x = m.add(Conv2D({.filters = 16, .kernel = 3}), m.input());
///     auto y = m.add(ReLU(), x);
///     m.add(Add(), {x, y});
///
/// Models nest by being copied in: their layers get the name of the block in front, "block1/conv1".
class Model {
 public:
  /// Output of a node of this model, or the model's input.
  struct Value {
    int node = -1;
  };

  struct Node {
    std::string name;
    LayerPtr layer;
    std::vector<int> inputs;  ///< node numbers, -1 for the model's input
  };

  Model() = default;
  Model(const Model& other);  // deep
  Model& operator=(const Model& other);
  Model(Model&&) = default;
  Model& operator=(Model&&) = default;

  /// The model's input, to be read by layers.
  Value input() const { return {-1}; }
  /// The value of the last node added, unless set_output() chose another.
  Value output() const { return {output_}; }
  /// Chooses the model's output among the values of its nodes and its input; the next add() chooses again. ValueError
  /// for a value that does not exist.
  void set_output(Value value);

  /// Appends a layer that reads `inputs`. An empty name: the layer's own, or an automatic one. Throws ValueError for a
  /// name that is taken or a value that does not exist.
  Value add(LayerPtr layer, const std::vector<Value>& inputs, std::string name = "");
  template <std::derived_from<Layer> L>
  Value add(L layer, const std::vector<Value>& inputs, std::string name = "") {
    return add(LayerPtr(std::make_unique<L>(std::move(layer))), inputs, std::move(name));
  }
  template <std::derived_from<Layer> L>
  Value add(L layer, Value input, std::string name = "") {
    return add(std::move(layer), std::vector<Value>{input}, std::move(name));
  }
  /// Copies all layers of a block in, reading `input`; an empty name gives block1, block2, ... ValueError likewise.
  Value add(const Model& block, Value input, std::string name = "");

  const std::vector<Node>& nodes() const { return nodes_; }
  std::vector<Node>& nodes() { return nodes_; }
  /// The layer of a node. ValueError naming the nearest existing name.
  Layer& layer(std::string_view name) const;
  /// The same as what it is: `model.layer_as<Conv2D>("conv1")`. ValueError likewise, and for a layer of another type.
  template <class L>
  L& layer_as(std::string_view name) const;

  /// Creates and initialises all weights for samples of this shape (without batch axis), each layer from its own random
  /// stream of `seed`. ShapeError names the layer that cannot take its input; then no weight has been made. StateError
  /// naming a layer that is built for another shape. Returns *this for chaining.
  Model& build(const Shape& input_shape, std::uint64_t seed = 0);
  bool built() const { return input_shape_.rank() > 0; }
  /// Per-sample shapes; StateError before build().
  const Shape& input_shape() const;
  Shape output_shape() const { return output_shape(input_shape()); }
  /// The output for samples of any shape, before build() as well. ShapeError names the layer that cannot take its
  /// input; so does node_shapes().
  Shape output_shape(const Shape& input_shape) const;
  /// Per-sample output shape of every node, for samples of that shape.
  std::vector<Shape> node_shapes(const Shape& input_shape) const;

  /// x [batch, input_shape...]. ShapeError when x does not have the shape the model was built for, StateError before
  /// build().
  Variable forward(const Variable& x, const Context& context = {});
  /// Describes the inference behaviour of every layer to the builder, in order of execution, each under its name;
  /// `input` is the builder's value that the model reads. Returns the output. StateError before build(); else as
  /// Layer::lower() throws.
  GraphValue lower(GraphBuilder& builder, GraphValue input) const;

  /// Those of all layers in order of execution, the layer's name in front: "conv1/kernel", "bn1/moving_mean".
  std::vector<NamedParameter> parameters() const;
  std::vector<NamedBuffer> buffers() const;
  /// Number of trainable elements.
  Index parameter_count() const;
  /// Sets the gradients of all parameters to zero.
  void zero_gradient();

  /// Parameters and buffers by name, copied.
  NamedTensors state_dict() const;
  /// Copies a state into parameters and buffers of the same names. Another shape or dtype always is a ShapeError,
  /// naming every one; nothing is loaded then. StateError before build().
  LoadReport load_state_dict(const NamedTensors& state, LoadMode mode = LoadMode::complete);

 private:
  std::string unique_name(const std::string& stem) const;
  bool has_name(std::string_view name) const;  // of a layer, or in front of a block's layers
  void require_value(Value value, std::string_view what) const;
  void require_built(std::string_view what) const;
  std::vector<std::size_t> reader_counts() const;

  std::vector<Node> nodes_;
  int output_ = -1;
  Shape input_shape_;
};

template <class L>
L& Model::layer_as(std::string_view name) const {
  auto* result = dynamic_cast<L*>(&layer(name));
  if (!result) fail<ValueError>("layer \"", name, "\" is a ", layer(name).type(), ", not of the type asked for");
  return *result;
}

/// A chain: `Sequential(Conv2D({...}), ReLU(), Flatten(), Dense({.units = 10}))`. Parts are layers or models.
class Sequential : public Model {
 public:
  template <class... Parts>
  explicit Sequential(Parts... parts) {
    (append(std::move(parts)), ...);
  }
  template <class Part>
  void append(Part part) {
    if constexpr (std::derived_from<Part, Model>)
      add(static_cast<const Model&>(part), output());
    else
      add(std::move(part), output());
  }
};

/// main(x) + shortcut(x); an empty shortcut is the identity. Shapes that differ are found when the model is built.
Model residual(const Model& main, const Model& shortcut = {});

}  // namespace bitgrad
