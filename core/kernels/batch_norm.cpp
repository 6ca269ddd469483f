#include <bitgrad/core/kernels/batch_norm.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/batch_norm_parts.hpp>

namespace bitgrad::kernels {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// What both gradients begin with.
template <class T>
NormalizationGradient<T> begin_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance,
                                        T epsilon, const T* gamma, const T* dy,
                                        const BatchNormGradients<T>& gradients) {
  const WideRow<T> wide_mean(channels, mean);
  NormalizationGradient<T> result{rows, channels, x, mean, variance, epsilon, gamma, {}};
  result.sums = sum_rows<2>(rows, channels, [&](Index begin, Index count, Index width, double* partial) {
    floating_table<T>().normalize_gradient_sums(count, width, x + begin, wide_mean.data(), dy + begin, partial,
                                                partial + width);
  });
  result.add_parameters(gradients.dgamma, gradients.dbeta);
  return result;
}

}  // namespace

template <class T>
void batch_norm_statistics(Index rows, Index channels, const T* x, T* mean, T* variance) {
  if (rows < 1) fail<ShapeError>("batch norm: statistics of no rows (", channels, " channels)");
  const WideRow<T> shift(channels, x);
  const auto sums = sum_rows<2>(rows, channels, [&](Index begin, Index count, Index width, double* partial) {
    floating_table<T>().moment_sums(count, width, x + begin, shift.data(), partial, partial + width);
  });
  for (Index c = 0; c < channels; ++c) {
    const double offset = sums[0][at(c)] / static_cast<double>(rows);
    const double square = sums[1][at(c)] / static_cast<double>(rows) - offset * offset;
    mean[c] = static_cast<T>(static_cast<double>(x[c]) + offset);
    variance[c] = static_cast<T>(square < 0.0 ? 0.0 : square);  // rounding may leave a trace below zero; NaN stays
  }
}

template <class T>
void batch_norm_forward(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                        const T* gamma, const T* beta, T* y) {
  const std::vector<T> factor = normalization_factors(channels, variance, epsilon, gamma);
  const WideRow<T> wide_mean(channels, mean), wide_factor(channels, factor.data()), wide_beta(channels, beta);
  const Index width = wide_row(channels);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    floating_table<T>().normalize(count, width, x + begin, wide_mean.data() + column, wide_factor.data() + column,
                                  wide_beta.data() + column, y + begin);
  });
}

template <class T>
void batch_norm_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                         const T* gamma, const T* dy, BatchNormGradients<T> gradients) {
  const auto gradient = begin_gradient(rows, channels, x, mean, variance, epsilon, gamma, dy, gradients);
  if (gradients.dx != nullptr) gradient.input(dy, gradients.store, gradients.dx);
}

template <class T>
void batch_norm_frozen_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                                const T* gamma, const T* dy, BatchNormGradients<T> gradients) {
  if (gradients.dgamma != nullptr || gradients.dbeta != nullptr)
    begin_gradient(rows, channels, x, mean, variance, epsilon, gamma, dy, gradients);
  if (gradients.dx == nullptr) return;
  const std::vector<T> factor = normalization_factors(channels, variance, epsilon, gamma);
  const WideRow<T> wide_factor(channels, factor.data());
  const Index width = wide_row(channels);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    const auto& loops = floating_table<T>();
    const auto loop = gradients.store == Store::add ? loops.add_product_row : loops.multiply_row;
    loop(count, width, dy + begin, wide_factor.data() + column, gradients.dx + begin);
  });
}

#define BITGRAD_INSTANTIATE(T)                                                                                   \
  template void batch_norm_statistics<T>(Index, Index, const T*, T*, T*);                                        \
  template void batch_norm_forward<T>(Index, Index, const T*, const T*, const T*, T, const T*, const T*, T*);    \
  template void batch_norm_gradient<T>(Index, Index, const T*, const T*, const T*, T, const T*, const T*,        \
                                       BatchNormGradients<T>);                                                   \
  template void batch_norm_frozen_gradient<T>(Index, Index, const T*, const T*, const T*, T, const T*, const T*, \
                                              BatchNormGradients<T>);
BITGRAD_INSTANTIATE(float)
BITGRAD_INSTANTIATE(double)

}  // namespace bitgrad::kernels
