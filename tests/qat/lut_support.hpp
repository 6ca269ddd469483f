// Layers whose weights are quantized by look-up tables of 3 bits, for tests.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>
#include <bitgrad/quantizers/inferable/lut.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>

namespace bitgrad::test {

/// Of a table of 8-bit codes; unevenly spaced.
inline const std::vector<double> lut_entries{-128, -61, -20, -3, 0, 9, 33, 127};

/// One threshold for all weights, or one per output channel.
inline QuantizerSlot lut(std::vector<double> threshold, int rank) {
  const bool per_channel = threshold.size() > 1;
  return InferablePtr(std::make_unique<WeightsLUTSymmetricInferableQuantizer>(
      WeightsLUTSymmetricInferableQuantizer::Options{.num_bits = 3,
                                                     .lut_values = lut_entries,
                                                     .threshold = std::move(threshold),
                                                     .per_channel = per_channel,
                                                     .channel_axis = -1,
                                                     .input_rank = rank}));
}

/// 8 bits from 0 to the threshold.
inline ActivationQuantizationHolder unsigned_holder(double threshold) {
  return ActivationQuantizationHolder(InferablePtr(std::make_unique<ActivationSymmetricInferableQuantizer>(
      ActivationSymmetricInferableQuantizer::Options{.num_bits = 8, .threshold = {threshold}, .is_signed = false})));
}

inline NodeQuantizationDispatcher kernel_by(QuantizerSlot quantizer) {
  NodeQuantizationDispatcher dispatcher;
  dispatcher.add_weight_quantizer("kernel", std::move(quantizer));
  return dispatcher;
}

}  // namespace bitgrad::test
