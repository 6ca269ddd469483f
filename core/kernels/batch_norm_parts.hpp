// Parts of batch normalization that its own kernels and the fused ones share.
#pragma once

#include <array>
#include <cmath>
#include <vector>

#include <bitgrad/core/kernels/rows.hpp>
#include <bitgrad/core/kernels/store.hpp>

namespace bitgrad::kernels {

/// gamma / sqrt(variance + epsilon)
template <class T>
std::vector<T> normalization_factors(Index channels, const T* variance, T epsilon, const T* gamma) {
  std::vector<T> result(static_cast<std::size_t>(channels));
  for (Index c = 0; c < channels; ++c)
    result[static_cast<std::size_t>(c)] = gamma[c] / std::sqrt(variance[c] + epsilon);
  return result;
}

/// The second half of the gradient through batch statistics, once the columns' sums of dy and of dy * (x - mean) are
/// known. With x' = (x - mean) / d, d = sqrt(variance + epsilon), over m rows:
///   dbeta = sum dy,  dgamma = sum dy x',  dx = gamma / d * (dy - dbeta / m - x' dgamma / m).
template <class T>
struct NormalizationGradient {
  Index rows, channels;
  const T* x;
  const T* mean;
  const T* variance;
  T epsilon;
  const T* gamma;
  std::array<std::vector<double>, 2> sums;

  /// Adds to both; either may be null.
  void add_parameters(T* dgamma, T* dbeta) const {
    for (Index c = 0; c < channels; ++c) {
      const auto i = static_cast<std::size_t>(c);
      if (dbeta) dbeta[c] += static_cast<T>(sums[0][i]);
      if (dgamma) dgamma[c] += static_cast<T>(sums[1][i] * static_cast<double>(inverse_deviation(c)));
    }
  }

  /// dx may be dy.
  void input(const T* dy, Store store, T* dx) const {
    std::vector<T> mean_dy, slope;
    for (Index c = 0; c < channels; ++c) {
      const double d = static_cast<double>(inverse_deviation(c)), m = static_cast<double>(rows);
      mean_dy.push_back(static_cast<T>(sums[0][static_cast<std::size_t>(c)] / m));
      slope.push_back(static_cast<T>(sums[1][static_cast<std::size_t>(c)] * d * d / m));
    }
    const std::vector<T> factor = normalization_factors(channels, variance, epsilon, gamma);
    const WideRow<T> wide_mean(channels, mean), wide_factor(channels, factor.data());
    const WideRow<T> wide_mean_dy(channels, mean_dy.data()), wide_slope(channels, slope.data());
    const Index width = wide_row(channels);
    parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
      floating_table<T>().normalize_gradient(count, width, store == Store::add, x + begin, wide_mean.data() + column,
                                             wide_factor.data() + column, wide_mean_dy.data() + column,
                                             wide_slope.data() + column, dy + begin, dx + begin);
    });
  }

 private:
  T inverse_deviation(Index c) const { return T{1} / std::sqrt(variance[c] + epsilon); }
};

}  // namespace bitgrad::kernels
