#include <bitgrad/core/kernels/batch_norm.hpp>

#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

template <class T>
std::vector<T> inverse_deviations(Index channels, const T* variance, T epsilon) {
  std::vector<T> result(at(channels));
  for (Index c = 0; c < channels; ++c) result[at(c)] = T{1} / std::sqrt(variance[c] + epsilon);
  return result;
}

template <class T>
std::vector<T> factors(Index channels, const T* variance, T epsilon, const T* gamma) {
  std::vector<T> result(at(channels));
  for (Index c = 0; c < channels; ++c) result[at(c)] = gamma[c] / std::sqrt(variance[c] + epsilon);
  return result;
}

/// Columns' sums of dy and of dy * (x - mean), and with them the gradients of gamma and beta.
template <class T>
std::array<std::vector<double>, 2> parameter_gradients(Index rows, Index channels, const T* x, const T* mean,
                                                       const std::vector<T>& inverse, const T* dy,
                                                       BatchNormGradients<T> gradients) {
  const WideRow<T> wide_mean(channels, mean);
  auto sums = sum_rows<2>(rows, channels, [&](Index begin, Index count, Index width, double* partial) {
    floating_table<T>().normalize_gradient_sums(count, width, x + begin, wide_mean.data(), dy + begin, partial, partial + width);
  });
  for (Index c = 0; c < channels; ++c) {
    if (gradients.dbeta != nullptr) gradients.dbeta[c] += static_cast<T>(sums[0][at(c)]);
    if (gradients.dgamma != nullptr)
      gradients.dgamma[c] += static_cast<T>(sums[1][at(c)] * static_cast<double>(inverse[at(c)]));
  }
  return sums;
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
void batch_norm_forward(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon, const T* gamma,
                        const T* beta, T* y) {
  const std::vector<T> factor = factors(channels, variance, epsilon, gamma);
  const WideRow<T> wide_mean(channels, mean), wide_factor(channels, factor.data()), wide_beta(channels, beta);
  const Index width = wide_row(channels);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    floating_table<T>().normalize(count, width, x + begin, wide_mean.data() + column, wide_factor.data() + column,
                                  wide_beta.data() + column, y + begin);
  });
}

// With x' = (x - mean) / d, d = sqrt(variance + epsilon), over m rows:
//   dbeta = sum dy,  dgamma = sum dy x',  dx = gamma / d * (dy - dbeta / m - x' dgamma / m).
template <class T>
void batch_norm_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon, const T* gamma,
                         const T* dy, BatchNormGradients<T> gradients) {
  const std::vector<T> inverse = inverse_deviations(channels, variance, epsilon);
  const auto sums = parameter_gradients(rows, channels, x, mean, inverse, dy, gradients);
  if (gradients.dx == nullptr) return;
  std::vector<T> mean_dy(at(channels)), slope(at(channels));
  for (Index c = 0; c < channels; ++c) {
    const double d = static_cast<double>(inverse[at(c)]), m = static_cast<double>(rows);
    mean_dy[at(c)] = static_cast<T>(sums[0][at(c)] / m);
    slope[at(c)] = static_cast<T>(sums[1][at(c)] * d * d / m);
  }
  const std::vector<T> factor = factors(channels, variance, epsilon, gamma);
  const WideRow<T> wide_mean(channels, mean), wide_factor(channels, factor.data());
  const WideRow<T> wide_mean_dy(channels, mean_dy.data()), wide_slope(channels, slope.data());
  const Index width = wide_row(channels);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    floating_table<T>().normalize_gradient(count, width, gradients.store == Store::add, x + begin, wide_mean.data() + column, wide_factor.data() + column,
                                           wide_mean_dy.data() + column, wide_slope.data() + column, dy + begin,
                                           gradients.dx + begin);
  });
}

template <class T>
void batch_norm_frozen_gradient(Index rows, Index channels, const T* x, const T* mean, const T* variance, T epsilon,
                                const T* gamma, const T* dy, BatchNormGradients<T> gradients) {
  if (gradients.dgamma != nullptr || gradients.dbeta != nullptr)
    parameter_gradients(rows, channels, x, mean, inverse_deviations(channels, variance, epsilon), dy, gradients);
  if (gradients.dx == nullptr) return;
  const std::vector<T> factor = factors(channels, variance, epsilon, gamma);
  const WideRow<T> wide_factor(channels, factor.data());
  const Index width = wide_row(channels);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    const auto& loops = floating_table<T>();
    const auto loop = gradients.store == Store::add ? loops.add_product_row : loops.multiply_row;
    loop(count, width, dy + begin, wide_factor.data() + column, gradients.dx + begin);
  });
}

#define BITGRAD_INSTANTIATE(T)                                                                                     \
  template void batch_norm_statistics<T>(Index, Index, const T*, T*, T*);                                          \
  template void batch_norm_forward<T>(Index, Index, const T*, const T*, const T*, T, const T*, const T*, T*);      \
  template void batch_norm_gradient<T>(Index, Index, const T*, const T*, const T*, T, const T*, const T*,          \
                                       BatchNormGradients<T>);                                                     \
  template void batch_norm_frozen_gradient<T>(Index, Index, const T*, const T*, const T*, T, const T*, const T*,   \
                                              BatchNormGradients<T>);
BITGRAD_INSTANTIATE(float)
BITGRAD_INSTANTIATE(double)

}  // namespace bitgrad::kernels
