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

bool quantized_with_gain(std::string_view weight, QuantizationMethod method) {
  return weight == "kernel" && method == QuantizationMethod::POWER_OF_TWO;
}

Tensor kernel_with_gain(const Layer& layer, const BatchNorm& batch_norm) {
  Tensor kernel = layer.weight("kernel")->value().clone();
  scale_channels(kernel, fold_batch_norm(batch_norm, Tensor()).gain);
  return kernel;
}

Model prepare_for_quantization(const Model& model) {
  Model prepared = model;
  const auto at = [&](int number) -> Layer& { return *prepared.nodes()[static_cast<std::size_t>(number)].layer; };
  for (const BatchNormPair& pair : batch_norm_pairs(prepared))
    negate_negative_gammas(at(pair.layer), at(pair.batch_norm));
  return prepared;
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
