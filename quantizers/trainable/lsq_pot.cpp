#include <bitgrad/quantizers/trainable/lsq_pot.hpp>

namespace bitgrad {

LsqPotWeightsQuantizer::LsqPotWeightsQuantizer(const TrainableQuantizerWeightsConfig& config, bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params), step_(config, "LsqPotWeightsQuantizer") {}

void LsqPotWeightsQuantizer::initialize_quantization(const std::optional<Shape>& shape, std::string_view name) {
  step_.create_variables(*this, shape, name);
}

Variable LsqPotWeightsQuantizer::operator()(const Variable& x, bool) { return step_(*this, x); }

InferablePtr LsqPotWeightsQuantizer::convert2inferable() const { return step_.convert(*this); }

LsqPotActivationQuantizer::LsqPotActivationQuantizer(const TrainableQuantizerActivationConfig& config,
                                                     bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params), step_(config, "LsqPotActivationQuantizer") {}

void LsqPotActivationQuantizer::initialize_quantization(const std::optional<Shape>& shape, std::string_view name) {
  step_.create_variables(*this, shape, name);
}

Variable LsqPotActivationQuantizer::operator()(const Variable& x, bool) { return step_(*this, x); }

InferablePtr LsqPotActivationQuantizer::convert2inferable() const { return step_.convert(*this); }

}  // namespace bitgrad
