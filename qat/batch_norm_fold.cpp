#include <bitgrad/qat/batch_norm_fold.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace bitgrad {
namespace {

void check_vector(const Tensor& tensor, std::string_view name, Index channels) {
  if (!tensor.defined() || tensor.rank() != 1 || tensor.dim(0) != channels || tensor.dtype() != DType::float32)
    fail<ShapeError>("fold_batch_norm: ", name, " is ",
                     tensor.defined() ? message(tensor.dtype(), " ", tensor.shape()) : "undefined",
                     ", expected float32 (", channels, ")");
}

}  // namespace

BatchNormFold fold_batch_norm(const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& variance,
                              float epsilon, const Tensor& bias) {
  const Index channels = gamma.size();
  check_vector(gamma, "gamma", channels);
  check_vector(beta, "beta", channels);
  check_vector(mean, "mean", channels);
  check_vector(variance, "variance", channels);
  if (bias.defined()) check_vector(bias, "bias", channels);
  BatchNormFold fold;
  for (Index c = 0; c < channels; ++c) {
    const float spread = variance.data<float>()[c] + epsilon;
    if (!(spread > 0.0F) || !std::isfinite(spread))
      fail<ValueError>("fold_batch_norm: variance + epsilon of channel ", c, " is ", spread,
                       ", expected a positive number");
    const float quotient = gamma.data<float>()[c] / std::sqrt(spread);
    if (std::isnan(quotient)) fail<ValueError>("fold_batch_norm: gamma of channel ", c, " is NaN");
    const float gain = std::max(quotient, minimum_gain);
    const double shift = (bias.defined() ? static_cast<double>(bias.data<float>()[c]) : 0.0) - mean.data<float>()[c];
    fold.gain.push_back(gain);
    fold.offset.push_back(static_cast<float>(shift * gain + beta.data<float>()[c]));
  }
  return fold;
}

BatchNormFold fold_batch_norm(const BatchNorm& batch_norm, const Tensor& bias) {
  return fold_batch_norm(batch_norm.weight("gamma")->value(), batch_norm.weight("beta")->value(),
                         batch_norm.buffer("moving_mean"), batch_norm.buffer("moving_variance"), batch_norm.epsilon(),
                         bias);
}

double bias_level(float offset, float accumulator_scale) {
  return std::nearbyint(static_cast<double>(offset) / static_cast<double>(accumulator_scale));
}

}  // namespace bitgrad
