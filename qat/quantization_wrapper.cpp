#include <bitgrad/qat/quantization_wrapper.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/ste.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/batch_norm_fold.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/preparation.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view batch_norm_prefix = "bn/";

/// sqrt(variance + epsilon) in the arithmetic of fold_batch_norm().
Tensor deviation(const BatchNorm& batch_norm) {
  Tensor result = batch_norm.buffer("moving_variance").clone();
  for (float& value : result.span<float>()) value = std::sqrt(value + batch_norm.epsilon());
  return result;
}

/// max(gamma / deviation, floor), as fold_batch_norm() has it.
Variable gain_of(const BatchNorm& batch_norm, const Variable& gamma) {
  return maximum(gamma / deviation(batch_norm), Tensor::scalar(minimum_gain));
}

/// gain * deviation: the smallest gamma whose gain is not below the floor.
Tensor smallest_gamma(const BatchNorm& batch_norm) {
  Tensor result = deviation(batch_norm);
  for (float& value : result.span<float>()) value *= minimum_gain;
  return result;
}

/// Training takes gains of at least minimum_gain, so that gammas that turned negative count as 0, which folds to the
/// same.
BatchNorm without_negative_gammas(BatchNorm batch_norm) {
  for (float& gamma : batch_norm.weight("gamma")->value().span<float>())
    if (gamma < 0) gamma = 0;
  return batch_norm;
}

/// What is left to fold when the gain is in the kernel: gain 1, to the bit, and all that is added, `bias` included.
BatchNorm offset_alone(const BatchNorm& batch_norm, const Tensor& bias) {
  const BatchNormFold fold = fold_batch_norm(batch_norm, bias);
  BatchNorm result = batch_norm;
  result.weight("gamma")->value().fill(static_cast<double>(std::sqrt(1.0F + batch_norm.epsilon())));
  result.weight("beta")->assign(Tensor::from({static_cast<Index>(fold.offset.size())}, fold.offset));
  Tensor mean = result.buffer("moving_mean"), variance = result.buffer("moving_variance");
  mean.fill(0);
  variance.fill(1);
  return result;
}

Tensor bias_of(const Layer& layer) { return layer.has_weight("bias") ? layer.weight("bias")->value() : Tensor(); }

/// A bias that is a whole number of accumulator steps; gradient 1.
Variable quantize_bias(const Variable& bias, const Variable& scale) { return ste_round(bias / scale) * scale; }

}  // namespace

QuantizationWrapper::QuantizationWrapper(LayerPtr layer, NodeQuantizationDispatcher dispatcher,
                                         QuantizationWrapperOptions options)
    : layer_(std::move(layer)),
      dispatcher_(std::move(dispatcher)),
      batch_norm_(std::move(options.batch_norm)),
      gain_goes_into_(options.gain_goes_into),
      input_holder_(std::move(options.input_holder)) {
  if (!layer_) fail<ValueError>("QuantizationWrapper: the layer is null");
  if (dispatcher_.num_activation_quantizers() > 1)
    fail<ValueError>("QuantizationWrapper: ", dispatcher_.num_activation_quantizers(), " activation quantizers, but ",
                     layer_->type(), " has one output");
  if (batch_norm_ && !takes_batch_norm(*layer_))
    fail<ValueError>("QuantizationWrapper: a batch normalisation cannot be folded into a ", layer_->type(),
                     ", only into a Conv1D, Conv2D, Conv2DTranspose, DepthwiseConv2D or Dense");
  if (batch_norm_ && dispatcher_.weight_quantizer("bias"))
    fail<ValueError>(
        "QuantizationWrapper: the bias has a quantizer of its own, but the batch normalisation behind the ",
        layer_->type(), " is folded into it; leave the bias without");
}

QuantizationWrapper::QuantizationWrapper(const QuantizationWrapper& other)
    : LayerOf<QuantizationWrapper>(other),
      layer_(other.layer_->clone()),
      dispatcher_(other.dispatcher_),
      batch_norm_(other.batch_norm_),
      gain_goes_into_(other.gain_goes_into_),
      input_holder_(other.input_holder_),
      frozen_(other.frozen_) {}

Shape QuantizationWrapper::output_shape(std::span<const Shape> inputs) const { return layer_->output_shape(inputs); }

void QuantizationWrapper::create_weights(std::span<const Shape> inputs, Random& random) {
  const Shape output = layer_->build(inputs, random);
  if (batch_norm_) batch_norm_->build({&output, 1}, random);
  for (auto& [weight, quantizer] : dispatcher_.weight_quantizers())
    quantizer.initialize(layer_->weight(weight)->value().shape(), weight);
  for (auto& quantizer : dispatcher_.activation_quantizers()) quantizer.initialize(std::nullopt, "output");
}

Weights QuantizationWrapper::weight_values() const {
  Weights values = layer_->weight_values();
  if (!batch_norm_) return values;
  const Weights normalization = batch_norm_->weight_values();
  for (const auto& [name, value] : normalization.items()) values.set(message(batch_norm_prefix, name), value);
  return values;
}

Variable QuantizationWrapper::apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) {
  return compute(inputs, weights, context).value();
}

Pending QuantizationWrapper::apply_pending(const Pending& x, const Weights& weights, const Context& context) {
  const Variable input = x.value();
  return compute({&input, 1}, weights, context);
}

bool QuantizationWrapper::takes_gain(std::string_view weight) const {
  return batch_norm_ && gain_goes_into_ == GainGoesInto::kernel && weight == "kernel" &&
         dispatcher_.weight_quantizer(weight);
}

Tensor QuantizationWrapper::before_quantizer(std::string_view weight) const {
  return takes_gain(weight) ? kernel_with_gain(*layer_, *batch_norm_) : layer_->weight(weight)->value();
}

/// With a gain in it the kernel is on its grid; while batch statistics are used they normalise it away, and it is taken
/// out again.
Weights QuantizationWrapper::quantized(const Weights& weights, const Context& context) const {
  Weights used;
  for (const auto& [name, parameter] : layer_->weights()) used.set(name, weights[name]);
  for (const auto& [name, quantizer] : dispatcher_.weight_quantizers()) {
    if (!takes_gain(name)) {
      used.set(name, quantizer(weights[name], context.training));
      continue;
    }
    const Variable gain = gain_of(*batch_norm_, weights["bn/gamma"]);
    if (uses_batch_statistics(context))
      used.set(name, quantizer(weights[name] * gain.detach(), context.training) / gain.detach());
    else
      used.set(name, quantizer(weights[name] * gain, context.training));
  }
  return used;
}

Pending QuantizationWrapper::compute(std::span<const Variable> inputs, const Weights& weights, const Context& context) {
  Weights used = quantized(weights, context);
  Pending y = Variable();
  if (uses_batch_statistics(context)) {
    Weights normalization;
    normalization.set("gamma", maximum(weights["bn/gamma"], smallest_gamma(*batch_norm_)));
    normalization.set("beta", weights["bn/beta"]);
    y = batch_norm_->apply_pending(layer_->apply(inputs, used, context), normalization, context);
  } else if (batch_norm_) {
    y = apply_folded(inputs, std::move(used), weights, context);
  } else {
    if (const auto scale = accumulator_scale(context); scale && layer_->has_weight("bias"))
      used.set("bias", quantize_bias(used["bias"], *scale));
    y = layer_->apply(inputs, used, context);
  }
  for (const auto& quantizer : dispatcher_.activation_quantizers()) y = quantizer(y, context.training);
  return y;
}

/// The layer with its batch normalisation in kernel and bias, as it ships: gain = max(gamma / deviation, floor),
/// kernel * gain, offset = beta + (bias - mean) * gain on the accumulator's grid.
Variable QuantizationWrapper::apply_folded(std::span<const Variable> inputs, Weights used, const Weights& weights,
                                           const Context& context) {
  const Variable gain = gain_of(*batch_norm_, weights["bn/gamma"]);
  Variable offset = weights["bn/beta"] - Variable(batch_norm_->buffer("moving_mean")) * gain;
  if (layer_->has_weight("bias")) offset = offset + used["bias"] * gain;
  const bool in_kernel = takes_gain("kernel");
  if (const auto scale = accumulator_scale(context))
    offset = quantize_bias(offset, in_kernel ? Variable(*scale) : *scale * gain.detach());
  if (!in_kernel) used.set("kernel", used["kernel"] * gain);
  if (layer_->has_weight("bias")) {
    used.set("bias", offset);
    return layer_->apply(inputs, used, context);
  }
  return layer_->apply(inputs, used, context) + offset;
}

/// s_x * s_w per output channel, or nothing when the input or the kernel is not quantized.
std::optional<Tensor> QuantizationWrapper::accumulator_scale(const Context& context) const {
  const QuantizerSlot* kernel = dispatcher_.weight_quantizer("kernel");
  if (input_holder_.empty() || !kernel) return std::nullopt;
  if (!context.model)
    fail<StateError>("QuantizationWrapper: the input's grid is that of \"", input_holder_,
                     "\", so this layer must run as part of its model");
  const auto& holder = context.model->layer_as<ActivationQuantizationHolder>(input_holder_);
  if (!holder.quantizes())
    fail<StateError>("QuantizationWrapper: the input's holder \"", input_holder_,
                     "\" is bypassed; name the one that puts the values on their grid");
  const float input_scale = holder.quantizer().inferable()->grid().scale.front();
  const Grid grid = kernel->inferable()->grid();
  Tensor scale = Tensor::from({static_cast<Index>(grid.scale.size())}, grid.scale);
  for (float& value : scale.span<float>()) value *= input_scale;
  return scale;
}

/// The layer with the gain in its kernel; its bias is left to offset_alone().
LayerPtr QuantizationWrapper::with_gain() const {
  LayerPtr result = layer_->clone();
  result->weight("kernel")->assign(before_quantizer("kernel"));
  if (result->has_weight("bias")) result->weight("bias")->value().fill(0);
  return result;
}

GraphValue QuantizationWrapper::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  InferenceGraphBuilder& graph = InferenceGraphBuilder::of(builder);
  WeightQuantizers quantizers;
  for (const auto& [weight, quantizer] : dispatcher_.weight_quantizers())
    quantizers.emplace(weight, quantizer.inferable());
  const bool gain_in_kernel = takes_gain("kernel");
  const LayerPtr quantized = graph.with_quantized_weights(gain_in_kernel ? *with_gain() : *layer_, quantizers);
  GraphValue y;
  {
    const InferenceGraphBuilder::WeightScope scope(graph, quantizers, *quantized);
    y = quantized->lower(builder, inputs);
  }
  if (batch_norm_) {
    const BatchNorm behind =
        gain_in_kernel ? offset_alone(*batch_norm_, bias_of(*layer_)) : without_negative_gammas(*batch_norm_);
    y = behind.lower(builder, {&y, 1});
  }
  for (const auto& quantizer : dispatcher_.activation_quantizers()) y = graph.quantize(y, *quantizer.inferable());
  return y;
}

std::vector<NamedParameter> QuantizationWrapper::parameters() const {
  std::vector<NamedParameter> result = layer_->parameters();
  if (batch_norm_)
    for (const auto& [name, parameter] : batch_norm_->parameters())
      result.push_back({message(batch_norm_prefix, name), parameter});
  const auto append = [&](const QuantizerSlot& quantizer) {
    for (const ParameterPtr& parameter : quantizer.parameters()) result.push_back({parameter->name(), parameter});
  };
  for (const auto& [weight, quantizer] : dispatcher_.weight_quantizers()) append(quantizer);
  for (const auto& quantizer : dispatcher_.activation_quantizers()) append(quantizer);
  return result;
}

std::vector<NamedBuffer> QuantizationWrapper::buffers() const {
  std::vector<NamedBuffer> result = layer_->buffers();
  if (batch_norm_)
    for (const auto& [name, value] : batch_norm_->buffers())
      result.push_back({message(batch_norm_prefix, name), value});
  return result;
}

void QuantizationWrapper::convert_to_inferable_quantizers() {
  for (auto& [weight, quantizer] : dispatcher_.weight_quantizers()) quantizer.convert();
  for (auto& quantizer : dispatcher_.activation_quantizers()) quantizer.convert();
}

}  // namespace bitgrad
