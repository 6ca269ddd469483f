// The same with a gradient written by hand: that of Esser et al., "Learned step size quantization", ICLR 2020,
// equation 3.
#pragma once

#include <algorithm>
#include <cmath>

#include <bitgrad/bitgrad.hpp>

namespace mine {

using namespace bitgrad;

template <class Config>
class ByHand : public TrainableQuantizer<ByHand<Config>, Config> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(target_of<Config>, {QuantizationMethod::SYMMETRIC}, "mine-by-hand");
  using ByHand::TrainableQuantizer::TrainableQuantizer;

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_learned_variable("threshold", name, this->config().param("threshold"));
  }
  Variable operator()(const Variable& x, bool /*training*/) override {
    const Levels levels = levels_of(this->config());
    const auto forward = [levels](const std::vector<Tensor>& in) {  // its rounding is what gradient checks see through
      return (Variable(in[1]) * ste_round(clip(Variable(in[0]) / in[1], levels.lo, levels.hi))).value();
    };
    return custom_op("mine_by_hand", {x, threshold() / levels.count}, forward,
                     [levels](const CustomOpContext& context) { return gradients(context, levels); });
  }
  InferablePtr convert2inferable() const override { return inferable_quantizer(this->config(), threshold().value()); }

 private:
  static std::vector<Tensor> gradients(const CustomOpContext& context, const Levels& levels) {
    const Tensor u = (Variable(context.inputs[0]) / context.inputs[1]).value().to(DType::float64);
    Tensor dx = context.output_gradient.to(DType::float64).clone(), dstep = dx.clone();
    for (Index i = 0; i < u.size(); ++i) {
      const double level = u.data<double>()[i], clamped = std::clamp(level, levels.lo, levels.hi);
      dstep.data<double>()[i] *= level == clamped ? std::nearbyint(level) - level : clamped;
      if (level != clamped) dx.data<double>()[i] = 0;
    }
    const DType dtype = context.output.dtype();  // float32 in training, float64 in gradient checks
    return {dx.to(dtype), sum_to(dstep, context.inputs[1].shape()).value().to(dtype)};
  }
  Variable threshold() const { return maximum(abs(this->learned("threshold")), 1e-6); }
};

}  // namespace mine
