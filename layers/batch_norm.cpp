#include <bitgrad/layers/batch_norm.hpp>

#include <bitgrad/autograd/operations.hpp>

namespace bitgrad {
namespace {

/// moving = momentum * moving + (1 - momentum) * factor * batch; `batch` may be float64 in a gradient check.
void move(Tensor moving, const Tensor& batch, double momentum, double factor) {
  dispatch_floating("BatchNorm", batch.dtype(), [&](auto zero) {
    const auto from = batch.span<decltype(zero)>();
    const auto to = moving.span<float>();
    for (std::size_t c = 0; c < to.size(); ++c)
      to[c] = static_cast<float>(momentum * static_cast<double>(to[c]) +
                                 (1 - momentum) * factor * static_cast<double>(from[c]));
  });
}

}  // namespace

BatchNorm::BatchNorm(BatchNormOptions options) : LayerOf(options.name), options_(std::move(options)) {
  const auto& [momentum, epsilon, name] = options_;
  if (!(momentum >= 0 && momentum <= 1))
    fail<ValueError>("BatchNorm: momentum is ", momentum, ", expected 0 <= momentum <= 1");
  if (!(epsilon > 0)) fail<ValueError>("BatchNorm: epsilon is ", epsilon, ", expected a positive number");
}

Shape BatchNorm::output_shape(std::span<const Shape> inputs) const {
  const Shape& input = single_input(inputs, type());
  if (input.rank() == 0) fail<ShapeError>("BatchNorm: input of shape ", input, " per sample has no channel axis");
  return input;
}

void BatchNorm::create_weights(std::span<const Shape> inputs, Random&) {
  const Shape channels{inputs.front()[-1]};
  add_weight("gamma", Tensor::full(channels, 1));
  add_weight("beta", Tensor::zeros(channels));
  add_buffer("moving_mean", Tensor::zeros(channels));
  add_buffer("moving_variance", Tensor::full(channels, 1));
}

Variable BatchNorm::apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) {
  return apply_pending(single_input(inputs, type()), weights, context).value();
}

Pending BatchNorm::apply_pending(const Pending& pending, const Weights& weights, const Context& context) {
  const Variable x = pending.value();
  const Variable& gamma = weights["gamma"];
  const Variable& beta = weights["beta"];
  require_channels(x, gamma.value().size(), type());
  if (context.training && !frozen_) {
    const BatchStatistics batch = batch_statistics(x);
    move_statistics(batch.mean, batch.variance, x.value().size() / batch.mean.size());
    return Pending(x).batch_norm(batch, gamma, beta, static_cast<double>(options_.epsilon));
  }
  const Variable mean(buffer("moving_mean").to(x.dtype()));
  const Variable variance(buffer("moving_variance").to(x.dtype()));
  const Variable scale = gamma / sqrt(variance + static_cast<double>(options_.epsilon));
  return x * scale + (beta - mean * scale);
}

void BatchNorm::move_statistics(const Tensor& batch_mean, const Tensor& batch_variance, Index count) {
  const auto momentum = static_cast<double>(options_.momentum);
  const auto n = static_cast<double>(count);
  move(buffer("moving_mean"), batch_mean, momentum, 1);
  move(buffer("moving_variance"), batch_variance, momentum, n / (n - 1));
}

GraphValue BatchNorm::lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const {
  return builder.batch_norm(inputs.front(), weight("gamma")->value(), weight("beta")->value(), buffer("moving_mean"),
                            buffer("moving_variance"), options_.epsilon);
}

}  // namespace bitgrad
