#include <bitgrad/autograd/operations/normalization.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/autograd/operations/detail/epilogue.hpp>
#include <bitgrad/core/kernels/batch_norm.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/kernels/layer_norm.hpp>

namespace bitgrad {

void detail::check_normalization(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  detail::require_same_dtype("batch_norm", x.value(), gamma.value());
  detail::require_same_dtype("batch_norm", x.value(), beta.value());
  const bool fits = x.shape().rank() >= 2 && gamma.shape() == Shape{x.shape()[-1]} && beta.shape() == gamma.shape();
  if (!fits)
    fail<ShapeError>("batch_norm: x is ", x.shape(), ", gamma ", gamma.shape(), ", beta ", beta.shape(),
                     ", expected (..., C), (C), (C)");
  if (!(epsilon > 0)) fail<ValueError>("batch_norm: epsilon is ", epsilon, ", expected a positive number");
}

BatchStatistics batch_statistics(const Variable& x) {
  detail::require_floating("batch_norm", x.value());
  if (x.shape().rank() < 2 || x.value().size() < 2 * x.shape()[-1] || x.value().size() == 0)
    fail<ShapeError>("batch_norm: x is ", x.shape(), ", expected at least two values per channel");
  const Index channels = x.shape()[-1], rows = x.value().size() / channels;
  BatchStatistics result{Tensor({channels}, x.dtype()), Tensor({channels}, x.dtype())};
  dispatch_floating("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::batch_norm_statistics(rows, channels, x.value().data<T>(), result.mean.data<T>(),
                                   result.variance.data<T>());
  });
  return result;
}

BatchNormResult batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  detail::check_normalization(x, gamma, beta, epsilon);
  const BatchStatistics statistics = batch_statistics(x);
  return {batch_norm(x, statistics, gamma, beta, epsilon), statistics.mean, statistics.variance};
}

Variable batch_norm(const Variable& x, const BatchStatistics& statistics, const Variable& gamma, const Variable& beta,
                    double epsilon) {
  detail::check_normalization(x, gamma, beta, epsilon);
  const Index channels = x.shape()[-1], rows = x.value().size() / channels;
  return dispatch_floating("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T small = static_cast<T>(epsilon);
    const Tensor &mean = statistics.mean, &variance = statistics.variance;
    Tensor y(x.shape(), x.dtype());
    kernels::batch_norm_forward<T>(rows, channels, x.value().data<T>(), mean.data<T>(), variance.data<T>(), small,
                                   gamma.value().data<T>(), beta.value().data<T>(), y.data<T>());
    auto backward = [=, mean = statistics.mean, variance = statistics.variance, x = x.value(), gamma = gamma.value()](
                        const Tensor& g, GradSink& sink) {
      GradTarget dx = sink.wants(0) ? sink.target(0) : GradTarget{};
      const auto wanted = [&](std::size_t i) { return sink.wants(i) ? sink.buffer(i).data<T>() : nullptr; };
      kernels::batch_norm_gradient<T>(rows, channels, x.data<T>(), mean.data<T>(), variance.data<T>(), small,
                                      gamma.data<T>(), g.data<T>(),
                                      {.dx = sink.wants(0) ? dx.gradient.data<T>() : nullptr,
                                       .dgamma = wanted(1),
                                       .dbeta = wanted(2),
                                       .store = dx.store});
    };
    return record_operation("batch_norm", std::move(y), {x, gamma, beta}, std::move(backward));
  });
}

Variable layer_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  detail::require_same_dtype("layer_norm", x.value(), gamma.value());
  detail::require_same_dtype("layer_norm", x.value(), beta.value());
  const bool fits = x.shape().rank() >= 1 && x.shape()[-1] > 0 && gamma.shape() == Shape{x.shape()[-1]} &&
                    beta.shape() == gamma.shape();
  if (!fits)
    fail<ShapeError>("layer_norm: x is ", x.shape(), ", gamma ", gamma.shape(), ", beta ", beta.shape(),
                     ", expected (..., C), (C), (C) with C at least 1");
  if (!(epsilon > 0)) fail<ValueError>("layer_norm: epsilon is ", epsilon, ", expected a positive number");
  const Index width = x.shape()[-1], rows = x.value().size() / width;
  return dispatch_floating("layer_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y(x.shape(), x.dtype()), means({rows}, x.dtype()), factors({rows}, x.dtype());
    kernels::layer_norm_forward<T>(rows, width, epsilon, x.value().data<T>(), gamma.value().data<T>(),
                                   beta.value().data<T>(), y.data<T>(), means.data<T>(), factors.data<T>());
    auto backward = [=, x = x.value(), gamma = gamma.value()](const Tensor& g, GradSink& sink) {
      if (sink.wants(0)) {
        GradTarget dx = sink.target(0);
        kernels::layer_norm_gradient<T>(rows, width, x.data<T>(), means.data<T>(), factors.data<T>(), gamma.data<T>(),
                                        g.data<T>(), dx.store, dx.gradient.template data<T>());
      }
      if (sink.wants(1))
        kernels::layer_norm_gamma_gradient<T>(rows, width, x.data<T>(), means.data<T>(), factors.data<T>(), g.data<T>(),
                                              sink.buffer(1).data<T>());
      if (sink.wants(2)) kernels::add_column_sums(rows, width, g.data<T>(), sink.buffer(2).data<T>());
    };
    return record_operation("layer_norm", std::move(y), {x, gamma, beta}, std::move(backward));
  });
}

}  // namespace bitgrad
