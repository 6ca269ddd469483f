#include <bitgrad/layers/layer.hpp>

#include <algorithm>

namespace bitgrad {
namespace {

/// "conv1 (Conv2D)", or "Conv2D" for a layer without a name of its own.
std::string label(const Layer& layer) {
  return layer.name().empty() ? std::string(layer.type()) : message(layer.name(), " (", layer.type(), ")");
}

std::string list(std::span<const Shape> shapes) {
  std::string result;
  for (const Shape& shape : shapes) result += (result.empty() ? "" : ", ") + to_string(shape);
  return result;
}

template <class T>
const T& only_one(std::span<const T> inputs, std::string_view layer_type) {
  if (inputs.size() != 1) fail<ShapeError>(layer_type, ": takes one input, got ", inputs.size());
  return inputs.front();
}

}  // namespace

Layer::Layer(const Layer& other) : name_(other.name_), built_(other.built_), built_for_(other.built_for_) {
  for (const auto& [name, from] : other.weights_) weights_.push_back({name, from->clone()});
  for (const auto& [name, value] : other.buffers_) buffers_.push_back({name, value.clone()});
}

Shape Layer::build(std::span<const Shape> inputs, Random& random) {
  Shape result = output_shape(inputs);
  if (!built_) {
    create_weights(inputs, random);
    built_for_.assign(inputs.begin(), inputs.end());
    built_ = true;
  } else if (!std::ranges::equal(built_for_, inputs)) {
    fail<StateError>(label(*this), ": already built for inputs of shape ", list(built_for_),
                     ", now asked to build for ", list(inputs), "; make a new layer");
  }
  return result;
}

Variable Layer::forward(std::span<const Variable> inputs, const Context& context) {
  require_built();
  return apply(inputs, weight_values(), context);
}

Pending Layer::apply_pending(const Pending& x, const Weights& weights, const Context& context) {
  const Variable value = x.value();
  return apply({&value, 1}, weights, context);
}

Pending Layer::forward_pending(const Pending& x, const Context& context) {
  require_built();
  return apply_pending(x, weight_values(), context);
}

void Layer::require_built() const {
  if (!built_) fail<StateError>(label(*this), ": forward() of a layer that is not built; call build() first");
}

std::vector<NamedParameter> Layer::parameters() const {
  std::vector<NamedParameter> result = weights_;
  for (const NamedLayer& inner : sublayers())
    for (auto& [name, parameter] : inner.layer->parameters())
      result.push_back({message(inner.name, "/", name), parameter});
  return result;
}

std::vector<NamedBuffer> Layer::buffers() const {
  std::vector<NamedBuffer> result = buffers_;
  for (const NamedLayer& inner : sublayers())
    for (auto& [name, value] : inner.layer->buffers()) result.push_back({message(inner.name, "/", name), value});
  return result;
}

bool Layer::has_weight(std::string_view name) const {
  return std::ranges::find(weights_, name, &NamedParameter::name) != weights_.end();
}

const ParameterPtr& Layer::weight(std::string_view name) const {
  const auto found = std::ranges::find(weights_, name, &NamedParameter::name);
  if (found != weights_.end()) return found->parameter;
  std::string known;
  for (const auto& existing : weights_) known += (known.empty() ? "" : ", ") + existing.name;
  fail<ValueError>(label(*this), ": no weight \"", name, "\"; it has ",
                   !known.empty() ? known
                   : built_       ? "none"
                                  : "none before it is built");
}

const Tensor& Layer::buffer(std::string_view name) const {
  const auto found = std::ranges::find(buffers_, name, &NamedBuffer::name);
  if (found != buffers_.end()) return found->value;
  std::string known;
  for (const auto& existing : buffers_) known += (known.empty() ? "" : ", ") + existing.name;
  fail<ValueError>(label(*this), ": no buffer \"", name, "\"; it has ",
                   !known.empty() ? known
                   : built_       ? "none"
                                  : "none before it is built");
}

Weights Layer::weight_values() const {
  Weights result;
  for (const auto& [name, parameter] : weights_) result.set(name, variable_of(parameter));
  return result;
}

void Layer::create_weights(std::span<const Shape>, Random&) {}

void Layer::add_weight(std::string_view name, Tensor value) {
  BITGRAD_ASSERT(!has_weight(name));
  weights_.push_back({std::string(name), std::make_shared<Parameter>(std::string(name), std::move(value))});
}

void Layer::add_buffer(std::string_view name, Tensor value) {
  BITGRAD_ASSERT(std::ranges::find(buffers_, name, &NamedBuffer::name) == buffers_.end());
  buffers_.push_back({std::string(name), std::move(value)});
}

const Shape& single_input(std::span<const Shape> inputs, std::string_view layer_type) {
  return only_one(inputs, layer_type);
}
const Variable& single_input(std::span<const Variable> inputs, std::string_view layer_type) {
  return only_one(inputs, layer_type);
}

void require_channels(const Variable& x, Index channels, std::string_view layer_type) {
  if (x.shape().rank() == 0 || x.shape()[-1] != channels)
    fail<ShapeError>(layer_type, ": input of shape ", x.shape(), ", expected ", channels,
                     channels == 1 ? " channel" : " channels", " (the last axis)");
}

}  // namespace bitgrad
