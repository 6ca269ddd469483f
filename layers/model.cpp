#include <bitgrad/layers/model.hpp>

#include <algorithm>
#include <deque>

#include <bitgrad/core/suggest.hpp>
#include <bitgrad/layers/merge.hpp>

namespace bitgrad {
namespace {

/// Streams of initial weights lie apart from those of dropout and shuffling with the same seed.
constexpr std::uint64_t initial_weights_stream = 0x696e697469616cULL;  // "initial"

/// The values a node reads, out of those computed so far.
template <class T>
std::vector<T> gather(const std::vector<int>& inputs, const T& model_input, const std::vector<T>& computed) {
  std::vector<T> result;
  for (const int input : inputs) result.push_back(input < 0 ? model_input : computed[static_cast<std::size_t>(input)]);
  return result;
}

template <class T, class Values>
const T& pick(int node, const T& model_input, const Values& computed) {
  return node < 0 ? model_input : computed[static_cast<std::size_t>(node)];
}

std::string list(const std::vector<Shape>& shapes) {
  std::string result;
  for (const Shape& shape : shapes) result += (result.empty() ? "" : " and ") + to_string(shape);
  return result.empty() ? "(none)" : result;
}

/// Calls `f(inputs)` and adds to whatever goes wrong which node it was and what it was given.
template <class F>
Shape explaining(const Model::Node& node, const std::vector<Shape>& inputs, const Shape& model_input, F&& f) {
  const auto text = [&](const Error& error) {
    return message("layer \"", node.name, "\" (", node.layer->type(), "): ", error.what(),
                   " [its input: ", list(inputs), ", the model's: ", model_input, "]");
  };
  try {
    return f(inputs);
  } catch (const ShapeError& error) {
    throw ShapeError(text(error));
  } catch (const StateError& error) {
    throw StateError(text(error));
  } catch (const ValueError& error) {
    throw ValueError(text(error));
  }
}

/// Shapes of all nodes, each from `shape_of(node number, input shapes)`.
template <class F>
std::vector<Shape> propagate(const std::vector<Model::Node>& nodes, const Shape& input_shape, F&& shape_of) {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < nodes.size(); ++i)
    shapes.push_back(explaining(nodes[i], gather(nodes[i].inputs, input_shape, shapes), input_shape,
                                [&](const std::vector<Shape>& inputs) { return shape_of(i, inputs); }));
  return shapes;
}

}  // namespace

Model::Model(const Model& other) : output_(other.output_), input_shape_(other.input_shape_) {
  for (const Node& node : other.nodes_) nodes_.push_back({node.name, node.layer->clone(), node.inputs});
}

Model& Model::operator=(const Model& other) {
  if (this != &other) *this = Model(other);
  return *this;
}

void Model::require_value(Value value, std::string_view what) const {
  if (value.node < -1 || value.node >= static_cast<int>(nodes_.size()))
    fail<ValueError>(what, ": value ", value.node, " does not exist, the model has ", nodes_.size(),
                     " nodes (values come from input() and add() of the same model)");
}

void Model::set_output(Value value) {
  require_value(value, "Model::set_output");
  output_ = value.node;
}

bool Model::has_name(std::string_view name) const {
  const std::string inside = std::string(name) + "/";
  return std::ranges::any_of(nodes_,
                             [&](const Node& node) { return node.name == name || node.name.starts_with(inside); });
}

std::string Model::unique_name(const std::string& stem) const {
  for (int number = 1;; ++number)
    if (std::string name = stem + std::to_string(number); !has_name(name)) return name;
}

Model::Value Model::add(LayerPtr layer, const std::vector<Value>& inputs, std::string name) {
  if (!layer) fail<ValueError>("Model::add: the layer is null");
  if (name.empty()) name = layer->name();
  if (name.empty()) name = unique_name(std::string(layer->name_stem()));
  if (has_name(name)) fail<ValueError>("Model::add: there is already a layer or block named \"", name, "\"");
  std::vector<int> sources;
  for (const Value input : inputs) {
    require_value(input, message("Model::add: layer \"", name, "\""));
    sources.push_back(input.node);
  }
  nodes_.push_back({std::move(name), std::move(layer), std::move(sources)});
  input_shape_ = Shape();  // what was added is not built
  output_ = static_cast<int>(nodes_.size()) - 1;
  return {output_};
}

Model::Value Model::add(const Model& block, Value input, std::string name) {
  if (&block == this) return add(Model(block), input, std::move(name));
  if (name.empty()) name = unique_name("block");
  if (has_name(name)) fail<ValueError>("Model::add: there is already a layer or block named \"", name, "\"");
  require_value(input, message("Model::add: block \"", name, "\""));
  std::vector<Value> values;
  const auto here = [&](int node) { return pick(node, input, values); };
  for (const Node& node : block.nodes_) {
    std::vector<Value> sources;
    for (const int source : node.inputs) sources.push_back(here(source));
    values.push_back(add(node.layer->clone(), sources, name + "/" + node.name));
  }
  const Value result = here(block.output_);
  output_ = result.node;
  return result;
}

Layer& Model::layer(std::string_view name) const {
  const auto found = std::ranges::find(nodes_, name, &Node::name);
  if (found != nodes_.end()) return *found->layer;
  std::vector<std::string> names;
  for (const Node& node : nodes_) names.push_back(node.name);
  fail<ValueError>(unknown_name("layer", name, names));
}

Model& Model::build(const Shape& input_shape, std::uint64_t seed) {
  output_shape(input_shape);  // throws before any weight exists when the model cannot take its input
  propagate(nodes_, input_shape, [&](std::size_t i, const std::vector<Shape>& inputs) {
    Random random = Random(seed, initial_weights_stream).derive(i);
    return nodes_[i].layer->build(inputs, random);
  });
  input_shape_ = input_shape;
  return *this;
}

const Shape& Model::input_shape() const {
  require_built("Model::input_shape");
  return input_shape_;
}

Shape Model::output_shape(const Shape& input_shape) const {
  return pick(output_, input_shape, node_shapes(input_shape));
}

std::vector<Shape> Model::node_shapes(const Shape& input_shape) const {
  if (input_shape.rank() == 0 || input_shape.size() == 0)
    fail<ShapeError>("the model's input shape is ", input_shape, ", expected at least one axis and no empty one");
  return propagate(nodes_, input_shape, [&](std::size_t i, const std::vector<Shape>& inputs) {
    return nodes_[i].layer->output_shape(inputs);
  });
}

void Model::require_built(std::string_view what) const {
  if (!built()) fail<StateError>(what, ": the model is not built; call build(input_shape) after adding the last layer");
}

Variable Model::forward(const Variable& x, const Context& context) {
  require_built("Model::forward");
  if (!x.defined() || x.shape().rank() == 0 || x.shape().without_front() != input_shape_)
    fail<ShapeError>("Model::forward: the input has shape ", x.defined() ? to_string(x.shape()) : "(undefined)",
                     ", expected (batch, ", to_string(input_shape_).substr(1));
  std::deque<Pending> values(nodes_.size(), Pending(Variable()));  // in pieces: together they are kilobytes
  std::vector<std::size_t> readers = reader_counts();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const Tape::Scope scope(node.name);
    Context here = context;
    here.stream = i;
    here.model = this;
    if (node.inputs.size() == 1) {
      values[i] = node.layer->forward_pending(pick(node.inputs.front(), Pending(x), values), here);
    } else {
      std::vector<Variable> inputs;
      for (const int input : node.inputs) inputs.push_back(pick(input, Pending(x), values).value());
      values[i] = node.layer->forward(inputs, here);
    }
    if (readers[i] > 1) values[i] = values[i].value();  // steps that nobody else needs wait for the one reader
    for (const int input : node.inputs)  // memory goes back to the pool as soon as the last reader is done
      if (input >= 0 && --readers[static_cast<std::size_t>(input)] == 0)
        values[static_cast<std::size_t>(input)] = Pending(Variable());
  }
  return pick(output_, Pending(x), values).value();
}

std::vector<std::size_t> Model::reader_counts() const {
  std::vector<std::size_t> result(nodes_.size(), 0);
  for (const Node& node : nodes_)
    for (const int input : node.inputs)
      if (input >= 0) ++result[static_cast<std::size_t>(input)];
  if (output_ >= 0) ++result[static_cast<std::size_t>(output_)];
  return result;
}

GraphValue Model::lower(GraphBuilder& builder, GraphValue input) const {
  require_built("Model::lower");
  std::vector<GraphValue> values;
  for (const Node& node : nodes_) {
    builder.set_layer_name(node.name);
    values.push_back(node.layer->lower(builder, gather(node.inputs, input, values)));
  }
  return pick(output_, input, values);
}

std::vector<NamedParameter> Model::parameters() const {
  std::vector<NamedParameter> result;
  for (const Node& node : nodes_)
    for (auto& [name, parameter] : node.layer->parameters()) result.push_back({node.name + "/" + name, parameter});
  return result;
}

std::vector<NamedBuffer> Model::buffers() const {
  std::vector<NamedBuffer> result;
  for (const Node& node : nodes_)
    for (auto& [name, value] : node.layer->buffers()) result.push_back({node.name + "/" + name, value});
  return result;
}

Index Model::parameter_count() const {
  Index result = 0;
  for (const auto& [name, parameter] : parameters())
    if (parameter->trainable()) result += parameter->value().size();
  return result;
}

void Model::zero_gradient() {
  for (const auto& [name, parameter] : parameters()) parameter->zero_gradient();
}

Model residual(const Model& main, const Model& shortcut) {
  Model result;
  const auto a = result.add(main, result.input(), "main");
  const auto b = shortcut.nodes().empty() ? result.input() : result.add(shortcut, result.input(), "shortcut");
  result.add(Add(), {a, b});
  return result;
}

}  // namespace bitgrad
