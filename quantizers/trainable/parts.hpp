// Parts to make trainable quantizers of: the levels of a configuration, and the frozen quantizer of learned numbers.
// The functions are overloaded for both kinds of configuration, so that one class template can serve weights and
// activations.
#pragma once

#include <bitgrad/quantizers/config.hpp>
#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad {

/// What a configuration is for: `mark_quantizer(target_of<Config>, ...)`.
template <class Config>
inline constexpr QuantizationTarget target_of = QuantizationTarget::Weights;
template <>
inline constexpr QuantizationTarget target_of<TrainableQuantizerActivationConfig> = QuantizationTarget::Activation;

/// Levels lo..hi of n bits: -2^(n-1) .. 2^(n-1)-1 signed, 0 .. 2^n-1 unsigned and uniform. `count` is 2^(n-1) or 2^n: a
/// symmetric threshold over the step.
struct Levels {
  double lo, hi, count;
};
/// Of n_bits and method; weights are signed, activations by "is_signed" (ValueError unless it is 0 or 1).
Levels levels_of(const TrainableQuantizerWeightsConfig& config);
Levels levels_of(const TrainableQuantizerActivationConfig& config);

/// The frozen quantizer of a threshold: {Weights,Activation}POTInferableQuantizer for method POWER_OF_TWO, else
/// {Weights,Activation}SymmetricInferableQuantizer, of the configuration's bits, channel axis and signedness. The step
/// is threshold / levels_of(config).count. Tensors of any shape and floating dtype, one element per channel or one in
/// all; ValueError naming what the frozen quantizer refuses.
InferablePtr inferable_quantizer(const TrainableQuantizerWeightsConfig& config, const Tensor& threshold);
InferablePtr inferable_quantizer(const TrainableQuantizerActivationConfig& config, const Tensor& threshold);
/// The frozen quantizer of a range: {Weights,Activation}UniformInferableQuantizer.
InferablePtr inferable_quantizer(const TrainableQuantizerWeightsConfig& config, const Tensor& min, const Tensor& max);
InferablePtr inferable_quantizer(const TrainableQuantizerActivationConfig& config, const Tensor& min,
                                 const Tensor& max);

}  // namespace bitgrad
