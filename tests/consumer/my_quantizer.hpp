// A quantizer of one's own: symmetric, with a learned threshold, in ordinary Variable arithmetic.
#pragma once

#include <bitgrad/bitgrad.hpp>

namespace mine {

using namespace bitgrad;

/// y = step * round(clip(x / step)) with step = threshold / 2^(bits - sign), for weights or activations by Config.
template <class Config>
class MyQuantizer : public TrainableQuantizer<MyQuantizer<Config>, Config> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(target_of<Config>, {QuantizationMethod::SYMMETRIC}, "mine");
  using MyQuantizer::TrainableQuantizer::TrainableQuantizer;

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_learned_variable("threshold", name, this->config().param("threshold"));
  }
  Variable operator()(const Variable& x, bool /*training*/) override {
    const Levels levels = levels_of(this->config());
    const Variable step = threshold() / levels.count;
    return step * ste_round(clip(x / step, levels.lo, levels.hi));
  }
  InferablePtr convert2inferable() const override { return inferable_quantizer(this->config(), threshold().value()); }

 private:
  /// Positive, whatever the optimizer makes of the variable.
  Variable threshold() const { return maximum(abs(this->learned("threshold")), 1e-6); }
};

}  // namespace mine
