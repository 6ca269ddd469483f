#include <bitgrad/qat/dispatcher.hpp>

#include <algorithm>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

void require_target(const QuantizerSlot& quantizer, QuantizationTarget target, std::string_view place) {
  if (quantizer.marks().target != target)
    fail<ValueError>("NodeQuantizationDispatcher: the quantizer of ", place, " is marked for ",
                     name_of(quantizer.marks().target), ", expected one for ", name_of(target));
}

}  // namespace

NodeQuantizationDispatcher::NodeQuantizationDispatcher(std::vector<WeightQuantizer> weight_quantizers,
                                                       std::vector<QuantizerSlot> activation_quantizers) {
  set_weight_quantizers(std::move(weight_quantizers));
  set_activation_quantizers(std::move(activation_quantizers));
}

void NodeQuantizationDispatcher::add_weight_quantizer(std::string_view weight, QuantizerSlot quantizer) {
  require_target(quantizer, QuantizationTarget::Weights, message("weight \"", weight, "\""));
  const auto found = std::ranges::find(weights_, weight, &WeightQuantizer::first);
  if (found == weights_.end())
    weights_.emplace_back(weight, std::move(quantizer));
  else
    found->second = std::move(quantizer);
}

void NodeQuantizationDispatcher::set_weight_quantizers(std::vector<WeightQuantizer> quantizers) {
  weights_.clear();
  for (auto& [weight, quantizer] : quantizers) {
    if (weight_quantizer(weight))
      fail<ValueError>("NodeQuantizationDispatcher: weight \"", weight, "\" has two quantizers");
    add_weight_quantizer(weight, std::move(quantizer));
  }
}

void NodeQuantizationDispatcher::set_activation_quantizers(std::vector<QuantizerSlot> quantizers) {
  for (std::size_t i = 0; i < quantizers.size(); ++i)
    require_target(quantizers[i], QuantizationTarget::Activation, message("output ", i));
  activations_ = std::move(quantizers);
}

const QuantizerSlot* NodeQuantizationDispatcher::weight_quantizer(std::string_view weight) const {
  const auto found = std::ranges::find(weights_, weight, &WeightQuantizer::first);
  return found == weights_.end() ? nullptr : &found->second;
}

}  // namespace bitgrad
