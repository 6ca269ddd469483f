// Fewer bits phase by phase: quantization-aware training that begins with many bits and ends with those that are
// wanted, each phase starting from the weights of the one before. Zhuang, Shen, Tan, Liu, Reid, "Towards effective
// low-bitwidth convolutional neural networks", CVPR 2018 (progressive quantization).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/quantization_config.hpp>

namespace bitgrad {

/// Some epochs in which no quantizer has fewer bits.
struct BitPhase {
  int bits = 8;
  std::int64_t epochs = 1;

  bool operator==(const BitPhase&) const = default;
};

/// "8:2,4:2,2:4" (bits and epochs), or "8,4,2", which shares `epochs` out evenly, the later ones getting what is left
/// over. Bits fall from phase to phase. ValueError naming what is wrong: an empty list, bits outside of 1 to 16 or that
/// do not fall, no epochs for a phase, epochs given for some phases and not for others, or - where `epochs` is not 0 -
/// another sum than that.
std::vector<BitPhase> parse_gradual(std::string_view text, std::int64_t epochs);
/// What parse_gradual() reads back, with epochs.
std::string to_string(const std::vector<BitPhase>& phases);

/// The fewest bits that the configuration gives to weights or activations; 16 when it quantizes nothing.
int fewest_bits(const QuantizationConfig& config);

/// The configuration of a phase: all quantizers have `bits` where it says fewer, and are what it says otherwise.
QuantizationConfig at_least(QuantizationConfig config, int bits);

/// The float model of the next phase: `float_model` with the weights, biases, normalisations and batch statistics that
/// `quantized`, made from it by attach_quantizers(), has learned. Quantizers are left behind, since the best grid of
/// few bits is none of many bits with a larger step (it clips more): plan_quantization() calibrates new ones on these
/// weights. It computes what `quantized` does without its quantizers: gammas that training turned negative, which count
/// as 0, are 0; where the normalisation was folded into the kernel, it does nothing but add the folded offset.
/// ValueError naming a tensor that `quantized` does not have, ShapeError one that has another shape there.
Model with_learned_weights(const Model& float_model, const Model& quantized);

}  // namespace bitgrad
