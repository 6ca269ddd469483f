#include <bitgrad/autograd/operations/normalization.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/core/kernels/batch_norm.hpp>

namespace bitgrad {
namespace {

void check(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  detail::require_same_dtype("batch_norm", x.value(), gamma.value());
  detail::require_same_dtype("batch_norm", x.value(), beta.value());
  const bool fits = x.shape().rank() >= 2 && gamma.shape() == Shape{x.shape()[-1]} && beta.shape() == gamma.shape();
  if (!fits)
    fail<ShapeError>("batch_norm: x is ", x.shape(), ", gamma ", gamma.shape(), ", beta ", beta.shape(),
                     ", expected (..., C), (C), (C)");
  if (x.value().size() < 2 * x.shape()[-1] || x.value().size() == 0)
    fail<ShapeError>("batch_norm: x is ", x.shape(), ", expected at least two values per channel");
  if (!(epsilon > 0)) fail<ValueError>("batch_norm: epsilon is ", epsilon, ", expected a positive number");
}

}  // namespace

BatchNormResult batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  check(x, gamma, beta, epsilon);
  const Index channels = x.shape()[-1], rows = x.value().size() / channels;
  return dispatch_floating("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T small = static_cast<T>(epsilon);
    Tensor y(x.shape(), x.dtype()), mean(gamma.shape(), x.dtype()), variance(gamma.shape(), x.dtype());
    kernels::batch_norm_statistics(rows, channels, x.value().data<T>(), mean.data<T>(), variance.data<T>());
    kernels::batch_norm_forward<T>(rows, channels, x.value().data<T>(), mean.data<T>(), variance.data<T>(), small,
                                   gamma.value().data<T>(), beta.value().data<T>(), y.data<T>());
    auto backward = [=, x = x.value(), gamma = gamma.value()](const Tensor& g, GradSink& sink) {
      GradTarget dx = sink.wants(0) ? sink.target(0) : GradTarget{};
      const auto wanted = [&](std::size_t i) { return sink.wants(i) ? sink.buffer(i).data<T>() : nullptr; };
      kernels::batch_norm_gradient<T>(rows, channels, x.data<T>(), mean.data<T>(), variance.data<T>(), small,
                                      gamma.data<T>(), g.data<T>(),
                                      {.dx = sink.wants(0) ? dx.gradient.data<T>() : nullptr,
                                       .dgamma = wanted(1),
                                       .dbeta = wanted(2),
                                       .store = dx.store});
    };
    Variable result = record_operation("batch_norm", std::move(y), {x, gamma, beta}, std::move(backward));
    return BatchNormResult{std::move(result), mean, variance};
  });
}

}  // namespace bitgrad
