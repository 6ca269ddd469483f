#include <bitgrad/quantizers/trainable/mct_ste.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

constexpr ClampGradient everywhere = ClampGradient::everywhere;

Variable symmetric(const Pending& x, const Variable& threshold, const detail::Levels& levels) {
  return fake_quantize("mct_ste", x,
                       {.step = threshold / levels.count, .lo = levels.lo, .hi = levels.hi, .gradient = everywhere});
}

Variable uniform(const Pending& x, const mct::AdjustedRange& range, const detail::Levels& levels) {
  const Variable step = (range.max - range.min) / levels.hi;
  return fake_quantize("mct_ste_uniform", x,
                       {.step = step, .offset = range.min, .lo = levels.lo, .hi = levels.hi, .gradient = everywhere});
}

}  // namespace

Variable STEWeightQATQuantizer::operator()(const Variable& x, bool) { return symmetric(x, threshold(), levels_); }
Variable STEUniformWeightQATQuantizer::operator()(const Variable& x, bool) { return uniform(x, range(), levels_); }
Variable STESymmetricActivationTrainableQuantizer::quantize_pending(const Pending& x, bool) {
  return symmetric(x, threshold(), levels_);
}
Variable STEUniformActivationTrainableQuantizer::quantize_pending(const Pending& x, bool) {
  return uniform(x, range(), levels_);
}

}  // namespace bitgrad
