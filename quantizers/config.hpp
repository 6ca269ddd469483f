// What a trainable quantizer is constructed from.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/quantizers/mark.hpp>

namespace bitgrad {

/// "threshold" (and "is_signed", 0 or 1, for activations) or "range_min" and "range_max". float64 tensors, since the
/// reference computes steps from double thresholds: scalars or one element per tensor, for per-channel weights the
/// weight's rank with the channel count on the channel axis and 1 elsewhere.
using QuantizationParams = std::map<std::string, Tensor>;

/// One of several bit widths a quantizer may choose from.
struct TrainableQuantizerCandidateConfig {
  int n_bits = 8;
  QuantizationParams quantization_params;
};

/// What both kinds of configuration share: plain records, checked by the quantizers built from them.
struct BaseQuantizerConfig {
  QuantizationMethod method = QuantizationMethod::SYMMETRIC;
  int n_bits = 8;
  QuantizationParams quantization_params;
  bool enable_quantization = true;  ///< false: whoever builds the model leaves the tensor in float
  double min_threshold = 0x1p-16;   ///< stored; the power-of-two floor is the constant 2^-16, as in the reference
  std::vector<TrainableQuantizerCandidateConfig> candidates;

  /// The entry, or ValueError naming the key and those that are there.
  const Tensor& param(const std::string& key) const;
};

/// `weights_*` fields of the reference's record.
struct TrainableQuantizerWeightsConfig : BaseQuantizerConfig {
  int weights_channels_axis = -1;
  bool weights_per_channel_threshold = true;

  /// JSON object with "version" and "target"; from_json() reads it back to the same bits. ValueError for a parameter
  /// that is not finite.
  std::string to_json() const;
  /// Strict: ValueError naming the field and its value for one that is missing, unknown or of the wrong type, and for
  /// another version or target.
  static TrainableQuantizerWeightsConfig from_json(std::string_view json);
};

/// `activation_*` fields of the reference's record. channels_axis is bitgrad's: the axis whose extent enters the
/// reference's LSQ gradient scale (channels last by default).
struct TrainableQuantizerActivationConfig : BaseQuantizerConfig {
  int channels_axis = -1;

  /// As of weights.
  std::string to_json() const;
  static TrainableQuantizerActivationConfig from_json(std::string_view json);
};

}  // namespace bitgrad
