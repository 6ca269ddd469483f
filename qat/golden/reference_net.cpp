#include <bitgrad/qat/golden/detail/reference_net.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/quantizers/golden/detail/compare.hpp>

namespace bitgrad::golden::detail {
namespace {

LayerPtr layer_of(const EndToEndCase& c) {
  const bool bias = c.bias.defined();
  if (!c.convolution) return std::make_unique<Dense>(DenseOptions{.units = c.weight.dim(0), .bias = bias});
  return std::make_unique<Conv2D>(
      Conv2DOptions{.filters = c.weight.dim(0),
                    .kernel = {c.weight.dim(2), c.weight.dim(3)},
                    .stride = {c.stride[0], c.stride[1]},
                    .padding = Padding::explicit_(c.padding[0], c.padding[0], c.padding[1], c.padding[1]),
                    .bias = bias});
}

TrainablePtr weight_quantizer_of(const EndToEndCase& c, const Layout& layout) {
  TrainableSpec spec = c.weight_quantizer;
  for (auto& [key, value] : spec.weights_config.quantization_params) value = layout.to_ours(value);
  spec.weights_config.weights_channels_axis = layout.axis(spec.weights_config.weights_channels_axis);
  return construct(spec);
}

std::optional<ActivationQuantizationHolder> holder_of(std::optional<TrainableSpec> spec, const Layout& layout) {
  if (!spec) return {};
  spec->activation_config.channels_axis = layout.axis(spec->activation_config.channels_axis);
  return ActivationQuantizationHolder(construct(*spec));
}

Layout activation_layout(const EndToEndCase& c) {
  return c.convolution ? Layout::of_images() : Layout::unchanged(c.x.rank());
}

}  // namespace

ReferenceNet::ReferenceNet(const EndToEndCase& c)
    : case_(c),
      activations_(activation_layout(c)),
      weights_(Layout::of_weights(c.weight.rank())),
      input_holder_(holder_of(c.input_holder, activations_)),
      output_holder_(holder_of(c.output_holder, activations_)) {
  NodeQuantizationDispatcher dispatcher;
  dispatcher.add_weight_quantizer("kernel", weight_quantizer_of(c, weights_));
  wrapper_.emplace(layer_of(c), std::move(dispatcher));
  build();
  parameter("wrapper.weight")->assign(weights_.to_ours(c.weight));
  if (c.bias.defined()) parameter("wrapper.layer.bias")->assign(c.bias);
}

void ReferenceNet::build() {
  const Tensor x = activations_.to_ours(case_.x);
  const Shape sample = case_.convolution ? x.shape().without_front() : Shape{x.dim(-1)};
  Random random(1);  // what it fills is overwritten
  wrapper_->build({&sample, 1}, random);
}

Variable ReferenceNet::forward(const Variable& x, bool training) {
  const Context context{.training = training};
  const Variable input = input_holder_ ? input_holder_->apply({&x, 1}, {}, context) : x;
  Variable y;
  if (case_.convolution) {
    y = wrapper_->forward(input, context);
  } else {  // over the last axis, whatever is in front of it
    const Index features = input.shape()[-1];
    y = wrapper_->forward(reshape(input, {input.shape().size() / features, features}), context);
    y = reshape(y, input.shape().with(-1, y.shape()[-1]));
  }
  return output_holder_ ? output_holder_->apply({&y, 1}, {}, context) : y;
}

ParameterPtr ReferenceNet::parameter(const std::string& name) const {
  const auto variable = [&](const QuantizerSlot& slot, std::string key) {
    if (key.empty()) key = "ptq_threshold_tensor";  // activations register it under their own name
    if (!slot.trainable()) throw Difference{message("\"", name, "\": the quantizer does not train")};
    return slot.trainable()->get_quantizer_variable(key.starts_with('_') ? key.substr(1) : key);
  };
  const std::string_view kernel = "wrapper.weight", holder = ".activation_holder_quantizer_out";
  if (name == kernel) return wrapper_->layer().weight("kernel");
  if (name == "wrapper.layer.bias") return wrapper_->layer().weight("bias");
  if (name.starts_with(kernel)) return variable(weight_quantizer(), name.substr(kernel.size()));
  for (const auto& [prefix, held] :
       {std::pair<std::string_view, const std::optional<ActivationQuantizationHolder>*>{"input_holder", &input_holder_},
        {"output_holder", &output_holder_}})
    if (held->has_value() && name.starts_with(message(prefix, holder)))
      return variable((*held)->quantizer(), name.substr(prefix.size() + holder.size()));
  throw Difference{message("there is no parameter \"", name, "\"")};
}

std::vector<NamedParameter> ReferenceNet::parameters() const {
  std::vector<NamedParameter> all;
  const auto append = [&](std::string_view prefix, const Layer& layer) {
    for (const auto& [name, parameter] : layer.parameters()) all.push_back({message(prefix, name), parameter});
  };
  append("wrapper/", *wrapper_);
  if (input_holder_) append("input_holder/", *input_holder_);
  if (output_holder_) append("output_holder/", *output_holder_);
  return select_parameters(all, [](const NamedParameter& each) { return each.parameter->trainable(); });
}

void ReferenceNet::convert() {
  wrapper_->convert_to_inferable_quantizers();
  if (input_holder_) input_holder_->convert_to_inferable_quantizers();
  if (output_holder_) output_holder_->convert_to_inferable_quantizers();
}

void ReferenceNet::set_weight_quantizer(QuantizerSlot quantizer) {
  NodeQuantizationDispatcher dispatcher = wrapper_->dispatcher();
  dispatcher.add_weight_quantizer("kernel", std::move(quantizer));
  LayerPtr layer = wrapper_->layer().clone();
  wrapper_.emplace(std::move(layer), std::move(dispatcher));
  build();
}

}  // namespace bitgrad::golden::detail
