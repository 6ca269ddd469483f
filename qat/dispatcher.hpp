// Which quantizers a layer gets.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/qat/quantizer_slot.hpp>

namespace bitgrad {

/// Weight quantizers by weight name and the quantizers of the outputs, in order. The reference's
/// NodeQuantizationDispatcher; quantizers of the wrong target, and two for one weight in a list, are refused with
/// ValueError.
class NodeQuantizationDispatcher {
 public:
  using WeightQuantizer = std::pair<std::string, QuantizerSlot>;

  NodeQuantizationDispatcher() = default;
  explicit NodeQuantizationDispatcher(std::vector<WeightQuantizer> weight_quantizers,
                                      std::vector<QuantizerSlot> activation_quantizers = {});

  /// Adds one, replacing the one of that weight if there is one.
  void add_weight_quantizer(std::string_view weight, QuantizerSlot quantizer);
  /// Replace all.
  void set_weight_quantizers(std::vector<WeightQuantizer> quantizers);
  void set_activation_quantizers(std::vector<QuantizerSlot> quantizers);

  const std::vector<WeightQuantizer>& weight_quantizers() const { return weights_; }
  std::vector<WeightQuantizer>& weight_quantizers() { return weights_; }
  const std::vector<QuantizerSlot>& activation_quantizers() const { return activations_; }
  std::vector<QuantizerSlot>& activation_quantizers() { return activations_; }
  /// The quantizer of a weight, or nullptr.
  const QuantizerSlot* weight_quantizer(std::string_view weight) const;

  bool is_weights_quantization() const { return !weights_.empty(); }
  bool is_activation_quantization() const { return !activations_.empty(); }
  std::size_t num_weights_quantizers() const { return weights_.size(); }
  std::size_t num_activation_quantizers() const { return activations_.size(); }

 private:
  std::vector<WeightQuantizer> weights_;
  std::vector<QuantizerSlot> activations_;
};

}  // namespace bitgrad
