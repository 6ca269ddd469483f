#include <bitgrad/qat/quantization_aware_training.hpp>

#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

namespace bitgrad {

Model quantization_aware_training_init(const Model& model, const Tensor& representative,
                                       const QuantizationConfig& config) {
  return attach_quantizers(model, plan_quantization(model, representative, config));
}

Model quantization_aware_training_finalize(const Model& model) {
  Model result = model;
  for (Model::Node& node : result.nodes())
    for_each_layer(*node.layer, [](Layer& layer) {
      if (auto* holder = dynamic_cast<ActivationQuantizationHolder*>(&layer)) holder->convert_to_inferable_quantizers();
      if (auto* wrapper = dynamic_cast<QuantizationWrapper*>(&layer)) wrapper->convert_to_inferable_quantizers();
    });
  return result;
}

void freeze_batch_norm(Model& model, bool frozen) {
  for (Model::Node& node : model.nodes())
    for_each_layer(*node.layer, [frozen](Layer& layer) {
      if (auto* batch_norm = dynamic_cast<BatchNorm*>(&layer)) batch_norm->set_frozen(frozen);
      if (auto* wrapper = dynamic_cast<QuantizationWrapper*>(&layer)) wrapper->freeze_batch_norm(frozen);
    });
}

void delay_activation_quantizers(Model& model, bool delayed) {
  for (const Model::Node& node : model.nodes())
    if (auto* holder = dynamic_cast<ActivationQuantizationHolder*>(node.layer.get())) holder->delay(delayed);
}

void set_training_progress(Model& model, double share) {
  const auto tell = [&](const QuantizerSlot& slot) {
    if (BaseTrainableQuantizer* learning = slot.trainable()) learning->set_training_progress(share);
  };
  for (const Model::Node& node : model.nodes()) {
    if (const auto* holder = dynamic_cast<const ActivationQuantizationHolder*>(node.layer.get()))
      tell(holder->quantizer());
    if (const auto* wrapper = dynamic_cast<const QuantizationWrapper*>(node.layer.get())) {
      for (const auto& [weight, slot] : wrapper->dispatcher().weight_quantizers()) tell(slot);
      for (const QuantizerSlot& slot : wrapper->dispatcher().activation_quantizers()) tell(slot);
    }
  }
}

}  // namespace bitgrad
