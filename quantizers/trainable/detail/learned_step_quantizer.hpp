// The base of lsq, lsq-pot and lsq-plus: all that their classes add is the mark, which says the methods.
#pragma once

#include <bitgrad/quantizers/trainable/detail/learned_step.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

namespace bitgrad::detail {

/// One LearnedStep, of weights or of activations by Config.
template <class Derived, class Config>
class LearnedStepQuantizer : public TrainableQuantizer<Derived, Config> {
 public:
  explicit LearnedStepQuantizer(const Config& config, bool freeze_quant_params = false)
      : TrainableQuantizer<Derived, Config>(config, freeze_quant_params), step_(config, type_name<Derived>()) {}
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override {
    step_.create_variables(*this, shape, name);
  }
  Variable operator()(const Variable& x, bool /*training*/) final { return step_(*this, x); }
  Variable quantize_pending(const Pending& x, bool /*training*/) final { return step_(*this, x); }
  InferablePtr convert2inferable() const override { return step_.convert(*this); }

 private:
  LearnedStep step_;
};

template <class Derived>
using LearnedStepWeights = LearnedStepQuantizer<Derived, TrainableQuantizerWeightsConfig>;
template <class Derived>
using LearnedStepActivation = LearnedStepQuantizer<Derived, TrainableQuantizerActivationConfig>;

}  // namespace bitgrad::detail
