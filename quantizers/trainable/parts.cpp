#include <bitgrad/quantizers/trainable/parts.hpp>

#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/trainable/detail/parts.hpp>

namespace bitgrad {
namespace {

std::vector<double> flat(const Tensor& tensor) {
  const Tensor values = tensor.to(DType::float64);
  return {values.data<double>(), values.data<double>() + values.size()};
}

}  // namespace

Levels levels_of(const TrainableQuantizerWeightsConfig& config) {
  if (config.method == QuantizationMethod::UNIFORM) return detail::uniform_levels(config.n_bits);
  return detail::symmetric_levels(config.n_bits, true);
}

Levels levels_of(const TrainableQuantizerActivationConfig& config) {
  if (config.method == QuantizationMethod::UNIFORM) return detail::uniform_levels(config.n_bits);
  return detail::symmetric_levels(config.n_bits, detail::is_signed(config));
}

InferablePtr inferable_quantizer(const TrainableQuantizerWeightsConfig& config, const Tensor& threshold) {
  const WeightsSymmetricInferableQuantizer::Options options{.num_bits = config.n_bits,
                                                            .threshold = flat(threshold),
                                                            .per_channel = config.weights_per_channel_threshold,
                                                            .channel_axis = config.weights_channels_axis};
  if (config.method == QuantizationMethod::POWER_OF_TWO) return std::make_unique<WeightsPOTInferableQuantizer>(options);
  return std::make_unique<WeightsSymmetricInferableQuantizer>(options);
}

InferablePtr inferable_quantizer(const TrainableQuantizerWeightsConfig& config, const Tensor& min, const Tensor& max) {
  return std::make_unique<WeightsUniformInferableQuantizer>(
      WeightsUniformInferableQuantizer::Options{.num_bits = config.n_bits,
                                                .min_range = flat(min),
                                                .max_range = flat(max),
                                                .per_channel = config.weights_per_channel_threshold,
                                                .channel_axis = config.weights_channels_axis});
}

InferablePtr inferable_quantizer(const TrainableQuantizerActivationConfig& config, const Tensor& threshold) {
  const ActivationSymmetricInferableQuantizer::Options options{
      .num_bits = config.n_bits, .threshold = flat(threshold), .is_signed = detail::is_signed(config)};
  if (config.method == QuantizationMethod::POWER_OF_TWO)
    return std::make_unique<ActivationPOTInferableQuantizer>(options);
  return std::make_unique<ActivationSymmetricInferableQuantizer>(options);
}

InferablePtr inferable_quantizer(const TrainableQuantizerActivationConfig& config, const Tensor& min,
                                 const Tensor& max) {
  return std::make_unique<ActivationUniformInferableQuantizer>(ActivationUniformInferableQuantizer::Options{
      .num_bits = config.n_bits, .min_range = flat(min), .max_range = flat(max)});
}

}  // namespace bitgrad
