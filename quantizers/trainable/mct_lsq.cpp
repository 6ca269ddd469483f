#include <bitgrad/quantizers/trainable/mct_lsq.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

constexpr ClampGradient level_in_bounds = ClampGradient::level_in_bounds;

double gradient_factor(const detail::Levels& levels, Index count) {
  return 1 / std::sqrt(levels.hi * static_cast<double>(count));
}

/// Extent of the axis that the reference takes for the channels.
Index channels(const Pending& x, const TrainableQuantizerActivationConfig& config) {
  return x.shape()[normalize_axis(config.channels_axis, x.shape().rank(), "mct-lsq: channels_axis of an activation")];
}

Variable symmetric(const Pending& x, const Variable& threshold, const detail::Levels& levels, Index count) {
  const Variable step = grad_scale(threshold / levels.count, gradient_factor(levels, count));
  return fake_quantize("mct_lsq", x, {.step = step, .lo = levels.lo, .hi = levels.hi, .gradient = level_in_bounds});
}

Variable uniform(const Pending& x, const mct::AdjustedRange& range, const detail::Levels& levels, Index count) {
  const Variable step = grad_scale((range.max - range.min) / levels.hi, gradient_factor(levels, count));
  return fake_quantize(
      "mct_lsq_uniform", x,
      {.step = step, .offset = range.min, .lo = levels.lo, .hi = levels.hi, .gradient = level_in_bounds});
}

void refuse_one_bit(const detail::Levels& levels, std::string_view class_name) {
  if (levels.hi == 0)
    fail<ValueError>(class_name,
                     ": 1 bit signed has the levels -1 and 0; the gradient scale 1/sqrt(0) would make every value NaN");
}

}  // namespace

LSQWeightQATQuantizer::LSQWeightQATQuantizer(const TrainableQuantizerWeightsConfig& config) : SymmetricWeights(config) {
  refuse_one_bit(levels_, "LSQWeightQATQuantizer");
}

LSQSymmetricActivationTrainableQuantizer::LSQSymmetricActivationTrainableQuantizer(
    const TrainableQuantizerActivationConfig& config)
    : SymmetricActivation(config) {
  refuse_one_bit(levels_, "LSQSymmetricActivationTrainableQuantizer");
}

Variable LSQWeightQATQuantizer::operator()(const Variable& x, bool) {
  return symmetric(x, threshold(), levels_, start_.size());
}
Variable LSQUniformWeightQATQuantizer::operator()(const Variable& x, bool) {
  return uniform(x, range(), levels_, start_.min.size());
}
Variable LSQSymmetricActivationTrainableQuantizer::quantize_pending(const Pending& x, bool) {
  return symmetric(x, threshold(), levels_, channels(x, config()));
}
Variable LSQUniformActivationTrainableQuantizer::quantize_pending(const Pending& x, bool) {
  return uniform(x, range(), levels_, channels(x, config()));
}

}  // namespace bitgrad
