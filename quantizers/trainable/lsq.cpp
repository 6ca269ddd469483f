#include <bitgrad/quantizers/trainable/lsq.hpp>

namespace bitgrad {

LearnedStepWeightsQuantizer::LearnedStepWeightsQuantizer(const TrainableQuantizerWeightsConfig& config,
                                                         bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params), step_(config, "LearnedStepWeightsQuantizer") {}

void LearnedStepWeightsQuantizer::initialize_quantization(const std::optional<Shape>& shape, std::string_view name) {
  step_.create_variables(*this, shape, name);
}

Variable LearnedStepWeightsQuantizer::operator()(const Variable& x, bool) { return step_(*this, x); }

InferablePtr LearnedStepWeightsQuantizer::convert2inferable() const { return step_.convert(*this); }

LearnedStepActivationQuantizer::LearnedStepActivationQuantizer(const TrainableQuantizerActivationConfig& config,
                                                               bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params), step_(config, "LearnedStepActivationQuantizer") {}

void LearnedStepActivationQuantizer::initialize_quantization(const std::optional<Shape>& shape, std::string_view name) {
  step_.create_variables(*this, shape, name);
}

Variable LearnedStepActivationQuantizer::operator()(const Variable& x, bool) { return step_(*this, x); }

InferablePtr LearnedStepActivationQuantizer::convert2inferable() const { return step_.convert(*this); }

}  // namespace bitgrad
