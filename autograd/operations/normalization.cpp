#include <bitgrad/autograd/operations/normalization.hpp>

#include <cmath>
#include <vector>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>

namespace bitgrad {
namespace {

/// Two sums per channel over rows, in double: add(row, first, second) adds one row. Chunks depend on the shape alone.
template <class F>
std::vector<double> channel_sums(Index rows, Index channels, F add) {
  const Index grain = std::max<Index>(1, detail::elementwise_grain / channels);
  const auto width = static_cast<std::size_t>(2 * channels);
  std::vector<double> partial(static_cast<std::size_t>(chunk_count(rows, grain)) * width);
  parallel_chunks(rows, grain, [&](Index chunk, Index begin, Index end) {
    double* first = partial.data() + static_cast<std::size_t>(chunk) * width;
    for (Index row = begin; row < end; ++row) add(row, first, first + channels);
  });
  std::vector<double> sums(width);
  for (std::size_t i = 0; i < partial.size(); ++i) sums[i % width] += partial[i];
  return sums;
}

void check(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  detail::require_same_dtype("batch_norm", x.value(), gamma.value());
  detail::require_same_dtype("batch_norm", x.value(), beta.value());
  const bool fits = x.shape().rank() >= 2 && gamma.shape() == Shape{x.shape()[-1]} && beta.shape() == gamma.shape();
  if (!fits)
    fail<ShapeError>("batch_norm: x is ", x.shape(), ", gamma ", gamma.shape(), ", beta ", beta.shape(), ", expected (..., C), (C), (C)");
  if (x.value().size() < 2 * x.shape()[-1] || x.value().size() == 0)
    fail<ShapeError>("batch_norm: x is ", x.shape(), ", expected at least two values per channel");
  if (!(epsilon > 0)) fail<ValueError>("batch_norm: epsilon is ", epsilon, ", expected a positive number");
}

}  // namespace

BatchNormResult batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, double epsilon) {
  check(x, gamma, beta, epsilon);
  const Index channels = x.shape()[-1], rows = x.value().size() / channels;
  const auto count = static_cast<double>(rows);
  return dispatch_floating("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.value().data<T>();
    std::vector<double> sums = channel_sums(rows, channels, [=](Index row, double* sum, double*) {
      for (Index c = 0; c < channels; ++c) sum[c] += static_cast<double>(from[row * channels + c]);
    });
    std::vector<double> center(sums.begin(), sums.begin() + channels);
    for (double& value : center) value /= count;
    sums = channel_sums(rows, channels, [=, m = center.data()](Index row, double* sum, double*) {
      for (Index c = 0; c < channels; ++c) {
        const double d = static_cast<double>(from[row * channels + c]) - m[c];
        sum[c] += d * d;
      }
    });
    Tensor mean(gamma.shape(), x.dtype()), variance(gamma.shape(), x.dtype()), inverse(gamma.shape(), x.dtype());
    for (Index c = 0; c < channels; ++c) {
      const double v = sums[static_cast<std::size_t>(c)] / count;
      mean.data<T>()[c] = static_cast<T>(center[static_cast<std::size_t>(c)]);
      variance.data<T>()[c] = static_cast<T>(v);
      inverse.data<T>()[c] = static_cast<T>(1 / std::sqrt(v + epsilon));
    }
    Tensor y(x.shape(), x.dtype());
    parallel_for(rows, std::max<Index>(1, detail::elementwise_grain / channels),
                 [=, to = y.data<T>(), m = mean.data<T>(), s = inverse.data<T>(), a = gamma.value().data<T>(), b = beta.value().data<T>()](
                     Index begin, Index end) {
      for (Index i = begin * channels; i < end * channels; i += channels)
        for (Index c = 0; c < channels; ++c) to[i + c] = (from[i + c] - m[c]) * s[c] * a[c] + b[c];
    });
    // With xhat = (x - mean) * inverse: dbeta = sum g, dgamma = sum g * xhat,
    // dx = gamma * inverse * (g - dbeta / n - xhat * dgamma / n)
    auto backward = [=, x = x.value(), gamma = gamma.value()](const Tensor& g, GradSink& sink) {
      const T* u = g.data<T>();
      const T* v = x.data<T>();
      const T* m = mean.data<T>();
      const T* s = inverse.data<T>();
      const std::vector<double> totals = channel_sums(rows, channels, [=](Index row, double* dbeta, double* dgamma) {
        for (Index c = 0; c < channels; ++c) {
          const Index i = row * channels + c;
          dbeta[c] += static_cast<double>(u[i]);
          dgamma[c] += static_cast<double>(u[i]) * static_cast<double>((v[i] - m[c]) * s[c]);
        }
      });
      Tensor dbeta(gamma.shape(), g.dtype()), dgamma(gamma.shape(), g.dtype());
      for (Index c = 0; c < channels; ++c) {
        dbeta.data<T>()[c] = static_cast<T>(totals[static_cast<std::size_t>(c)]);
        dgamma.data<T>()[c] = static_cast<T>(totals[static_cast<std::size_t>(channels + c)]);
      }
      if (sink.wants(0)) {
        std::vector<T> scale, shift, slope;
        for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
          scale.push_back(gamma.data<T>()[c] * s[c]);
          shift.push_back(static_cast<T>(totals[c] / count));
          slope.push_back(static_cast<T>(totals[static_cast<std::size_t>(channels) + c] / count));
        }
        Tensor dx(g.shape(), g.dtype());
        parallel_for(rows, std::max<Index>(1, detail::elementwise_grain / channels),
                     [=, to = dx.data<T>(), k = scale.data(), b = shift.data(), a = slope.data()](Index begin, Index end) {
          for (Index i = begin * channels; i < end * channels; i += channels)
            for (Index c = 0; c < channels; ++c) to[i + c] = k[c] * (u[i + c] - b[c] - (v[i + c] - m[c]) * s[c] * a[c]);
        });
        sink.add(0, std::move(dx));
      }
      sink.add(1, std::move(dgamma));
      sink.add(2, std::move(dbeta));
    };
    Variable result = record_operation("batch_norm", std::move(y), {x, gamma, beta}, std::move(backward));
    return BatchNormResult{std::move(result), mean, variance};
  });
}

}  // namespace bitgrad
