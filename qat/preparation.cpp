#include <bitgrad/qat/preparation.hpp>

#include <algorithm>

#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/layers/conv1d.hpp>
#include <bitgrad/layers/conv2d.hpp>
#include <bitgrad/layers/conv2d_transpose.hpp>
#include <bitgrad/layers/dense.hpp>
#include <bitgrad/layers/depthwise_conv2d.hpp>
#include <bitgrad/qat/batch_norm_fold.hpp>

namespace bitgrad {
namespace {

int reader_count(const Model& model, int node) {
  int count = model.output().node == node ? 1 : 0;
  for (const Model::Node& reader : model.nodes()) count += static_cast<int>(std::ranges::count(reader.inputs, node));
  return count;
}

/// Multiplies every last-axis channel of a tensor by its factor.
void scale_channels(Tensor& tensor, const std::vector<float>& factors) {
  const auto values = tensor.span<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= factors[i % factors.size()];
}

void negate_negative_gammas(Layer& layer, Layer& batch_norm) {
  std::vector<float> signs;
  for (const float gamma : batch_norm.weight("gamma")->value().span<float>()) signs.push_back(gamma < 0 ? -1.0F : 1.0F);
  scale_channels(layer.weight("kernel")->value(), signs);
  if (layer.has_weight("bias")) scale_channels(layer.weight("bias")->value(), signs);
  scale_channels(batch_norm.weight("gamma")->value(), signs);
  Tensor mean = batch_norm.buffer("moving_mean");
  scale_channels(mean, signs);
}

/// The layer with a bias and `kernel`, `bias` as its weights.
template <class L, class Options>
LayerPtr with_weights(Options options, const Shape& input, const Tensor& kernel, const Tensor& bias) {
  options.bias = true;
  auto layer = std::make_unique<L>(options);
  Random unused(0);
  layer->build({&input, 1}, unused);
  layer->weight("kernel")->assign(kernel);
  layer->weight("bias")->assign(bias);
  return layer;
}

LayerPtr folded(const Layer& layer, const Layer& normalization, const Shape& input) {
  const auto& batch_norm = dynamic_cast<const BatchNorm&>(normalization);
  const BatchNormFold fold =
      fold_batch_norm(batch_norm.weight("gamma")->value(), batch_norm.weight("beta")->value(),
                      batch_norm.buffer("moving_mean"), batch_norm.buffer("moving_variance"), batch_norm.epsilon(),
                      layer.has_weight("bias") ? layer.weight("bias")->value() : Tensor());
  Tensor kernel = layer.weight("kernel")->value().clone();
  scale_channels(kernel, fold.gain);
  const Tensor bias = Tensor::from({static_cast<Index>(fold.offset.size())}, fold.offset);
  if (const auto* conv = dynamic_cast<const Conv2D*>(&layer))
    return with_weights<Conv2D>(conv->options(), input, kernel, bias);
  if (const auto* conv = dynamic_cast<const Conv1D*>(&layer))
    return with_weights<Conv1D>(conv->options(), input, kernel, bias);
  if (const auto* conv = dynamic_cast<const Conv2DTranspose*>(&layer))
    return with_weights<Conv2DTranspose>(conv->options(), input, kernel, bias);
  if (const auto* conv = dynamic_cast<const DepthwiseConv2D*>(&layer))
    return with_weights<DepthwiseConv2D>(conv->options(), input, kernel, bias);
  return with_weights<Dense>(dynamic_cast<const Dense&>(layer).options(), input, kernel, bias);
}

}  // namespace

bool takes_batch_norm(const Layer& layer) {
  return dynamic_cast<const Conv1D*>(&layer) || dynamic_cast<const Conv2D*>(&layer) ||
         dynamic_cast<const Conv2DTranspose*>(&layer) || dynamic_cast<const DepthwiseConv2D*>(&layer) ||
         dynamic_cast<const Dense*>(&layer);
}

std::vector<BatchNormPair> batch_norm_pairs(const Model& model) {
  std::vector<BatchNormPair> pairs;
  for (std::size_t i = 0; i < model.nodes().size(); ++i) {
    const Model::Node& node = model.nodes()[i];
    if (!dynamic_cast<const BatchNorm*>(node.layer.get()) || node.inputs.front() < 0) continue;
    const int before = node.inputs.front();
    const Layer* layer = model.nodes()[static_cast<std::size_t>(before)].layer.get();
    if (takes_batch_norm(*layer) && reader_count(model, before) == 1) pairs.push_back({before, static_cast<int>(i)});
  }
  return pairs;
}

Model prepare_for_quantization(const Model& model, const std::function<bool(std::string_view layer)>& fold) {
  Model prepared = model;
  const std::vector<BatchNormPair> pairs = batch_norm_pairs(prepared);
  const auto at = [&](int number) -> Model::Node& { return prepared.nodes()[static_cast<std::size_t>(number)]; };
  std::vector<bool> dropped(prepared.nodes().size(), false);
  for (const BatchNormPair& pair : pairs) {
    negate_negative_gammas(*at(pair.layer).layer, *at(pair.batch_norm).layer);
    if (!fold(at(pair.layer).name)) continue;
    const int source = at(pair.layer).inputs.front();
    const Shape input = source < 0 ? prepared.input_shape()
                                   : prepared.node_shapes(prepared.input_shape())[static_cast<std::size_t>(source)];
    at(pair.layer).layer = folded(*at(pair.layer).layer, *at(pair.batch_norm).layer, input);
    dropped[static_cast<std::size_t>(pair.batch_norm)] = true;
  }
  return rebuild(prepared,
                 [&](Model& target, int number, const Model::Node& node, const std::vector<Model::Value>& inputs) {
                   if (dropped[static_cast<std::size_t>(number)]) return inputs.front();
                   return target.add(node.layer->clone(), inputs, node.name);
                 });
}

Model rebuild(
    const Model& model,
    const std::function<Model::Value(Model&, int, const Model::Node&, const std::vector<Model::Value>&)>& copy,
    const std::function<Model::Value(Model&)>& input) {
  Model target;
  const Model::Value start = input ? input(target) : target.input();
  std::vector<Model::Value> values;
  const auto value_of = [&](int number) { return number < 0 ? start : values[static_cast<std::size_t>(number)]; };
  for (std::size_t i = 0; i < model.nodes().size(); ++i) {
    const Model::Node& node = model.nodes()[i];
    std::vector<Model::Value> inputs;
    for (const int number : node.inputs) inputs.push_back(value_of(number));
    values.push_back(copy(target, static_cast<int>(i), node, inputs));
  }
  target.set_output(value_of(model.output().node));
  target.build(model.input_shape());
  return target;
}

}  // namespace bitgrad
