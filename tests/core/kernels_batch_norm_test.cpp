#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/batch_norm.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

struct Problem {
  Index rows, channels;
  std::vector<float> x, gamma, beta, dy, mean, variance;
  float epsilon = 1e-3f;

  Problem(Index r, Index c) : rows(r), channels(c) {
    x = reals(r * c, 1, 3.0f), gamma = reals(c, 2), beta = reals(c, 3), dy = reals(r * c, 4);
    for (Index i = 0; i < r * c; ++i) x[at(i)] += static_cast<float>(i % c);
    mean.resize(at(c)), variance.resize(at(c));
    kernels::batch_norm_statistics(r, c, x.data(), mean.data(), variance.data());
  }
};

/// Two passes in long double.
void naive_statistics(const Problem& p, Index c, long double& mean, long double& variance) {
  mean = variance = 0;
  for (Index r = 0; r < p.rows; ++r) mean += static_cast<long double>(p.x[at(r * p.channels + c)]);
  mean /= static_cast<long double>(p.rows);
  for (Index r = 0; r < p.rows; ++r) {
    const long double d = static_cast<long double>(p.x[at(r * p.channels + c)]) - mean;
    variance += d * d;
  }
  variance /= static_cast<long double>(p.rows);
}

}  // namespace

TEST_CASE("batch statistics agree with two passes in long double") {
  for (const auto& extents : {std::pair<Index, Index>{1, 1}, {2, 3}, {100, 16}, {4099, 5}, {33, 700}}) {
    const Index rows = extents.first, channels = extents.second;
    const Problem p(rows, channels);
    for (Index c = 0; c < channels; ++c) {
      long double mean, variance;
      naive_statistics(p, c, mean, variance);
      CHECK(p.mean[at(c)] == Approx(static_cast<double>(mean)).epsilon(1e-7).margin(1e-7));
      CHECK(p.variance[at(c)] == Approx(static_cast<double>(variance)).epsilon(2e-7).margin(1e-12));
    }
  }
}

TEST_CASE("batch statistics keep their digits under a large mean, and are exact for constants") {
  const Index rows = 10000;
  std::vector<float> x(at(rows));
  for (Index r = 0; r < rows; ++r) x[at(r)] = 4096.0f + static_cast<float>(r % 2) / 1024.0f;
  float mean = 0, variance = 0;
  kernels::batch_norm_statistics(rows, 1, x.data(), &mean, &variance);
  CHECK(mean == 4096.0f + 1.0f / 2048.0f);
  CHECK(variance == Approx(0.25 / 1024.0 / 1024.0).epsilon(1e-6));
  std::fill(x.begin(), x.end(), 0.1f);
  kernels::batch_norm_statistics(rows, 1, x.data(), &mean, &variance);
  CHECK(mean == 0.1f);
  CHECK(variance == 0.0f);
  CHECK_THROWS_AS(kernels::batch_norm_statistics(0, 1, x.data(), &mean, &variance), ShapeError);
}

TEST_CASE("batch norm's forward is the formula, to the bit") {
  for (const auto& extents : {std::pair<Index, Index>{1, 1}, {7, 3}, {3000, 16}, {2, 700}}) {
    const Index rows = extents.first, channels = extents.second;
    const Problem p(rows, channels);
    std::vector<float> expected(p.x.size());
    for (std::size_t i = 0; i < p.x.size(); ++i) {
      const std::size_t c = i % at(channels);
      const volatile float factor = p.gamma[c] / std::sqrt(p.variance[c] + p.epsilon);
      const volatile float scaled = (p.x[i] - p.mean[c]) * factor;
      expected[i] = scaled + p.beta[c];
    }
    for_each_setting([&] {
      std::vector<float> y(p.x.size());
      kernels::batch_norm_forward(rows, channels, p.x.data(), p.mean.data(), p.variance.data(), p.epsilon,
                                  p.gamma.data(), p.beta.data(), y.data());
      CHECK(same_bits(y, expected));
    });
  }
}

TEST_CASE("batch norm's gradients agree with central differences in double") {
  const Index rows = 6, channels = 3, n = rows * channels;
  const auto to_double = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  const auto x = to_double(reals(n, 1)), gamma = to_double(reals(channels, 2)), beta = to_double(reals(channels, 3));
  const auto dy = to_double(reals(n, 4));
  const double epsilon = 1e-3;
  std::vector<double> mean(at(channels)), variance(at(channels));
  kernels::batch_norm_statistics(rows, channels, x.data(), mean.data(), variance.data());
  const auto loss = [&](const std::vector<double>& xs, const std::vector<double>& g, const std::vector<double>& b,
                        bool frozen) {
    std::vector<double> m = mean, v = variance, y(at(n));
    if (!frozen) kernels::batch_norm_statistics(rows, channels, xs.data(), m.data(), v.data());
    kernels::batch_norm_forward(rows, channels, xs.data(), m.data(), v.data(), epsilon, g.data(), b.data(), y.data());
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += y[at(i)] * dy[at(i)];
    return sum;
  };
  for (const bool frozen : {false, true}) {
    std::vector<double> dx(at(n), 10.0), dgamma(at(channels), 20.0), dbeta(at(channels), 30.0);
    const kernels::BatchNormGradients<double> gradients{dx.data(), dgamma.data(), dbeta.data()};
    const auto gradient = frozen ? kernels::batch_norm_frozen_gradient<double> : kernels::batch_norm_gradient<double>;
    gradient(rows, channels, x.data(), mean.data(), variance.data(), epsilon, gamma.data(), dy.data(), gradients);
    const double h = 1e-6;
    const auto difference = [&](auto move) {
      auto up = std::tuple(x, gamma, beta), down = up;
      move(up, h), move(down, -h);
      const auto value = [&](const auto& t) { return loss(std::get<0>(t), std::get<1>(t), std::get<2>(t), frozen); };
      return (value(up) - value(down)) / (2 * h);
    };
    for (std::size_t i = 0; i < dx.size(); ++i)
      CHECK(dx[i] - 10.0 ==
            Approx(difference([&](auto& t, double d) { std::get<0>(t)[i] += d; })).epsilon(1e-5).margin(1e-6));
    for (std::size_t c = 0; c < dgamma.size(); ++c) {
      CHECK(dgamma[c] - 20.0 == Approx(difference([&](auto& t, double d) { std::get<1>(t)[c] += d; })).epsilon(1e-5));
      CHECK(dbeta[c] - 30.0 == Approx(difference([&](auto& t, double d) { std::get<2>(t)[c] += d; })).epsilon(1e-5));
    }
  }
}

TEST_CASE("batch norm's float gradients follow the double ones and are the same bits in every setting") {
  for (const auto& extents : {std::pair<Index, Index>{5, 3}, {3001, 16}, {70, 300}}) {
    const Index rows = extents.first, channels = extents.second;
    const Problem p(rows, channels);
    const auto to_double = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
    const auto x = to_double(p.x), mean = to_double(p.mean), variance = to_double(p.variance),
               gamma = to_double(p.gamma);
    const auto dy = to_double(p.dy);
    for (const bool frozen : {false, true}) {
      std::vector<double> dx64(x.size()), dgamma64(gamma.size()), dbeta64(gamma.size());
      (frozen ? kernels::batch_norm_frozen_gradient<double>
              : kernels::batch_norm_gradient<double>)(rows, channels, x.data(), mean.data(), variance.data(),
                                                      static_cast<double>(p.epsilon), gamma.data(), dy.data(),
                                                      {dx64.data(), dgamma64.data(), dbeta64.data()});
      std::vector<float> first;
      for_each_setting([&] {
        std::vector<float> dx(p.x.size()), dgamma(p.gamma.size()), dbeta(p.gamma.size());
        const auto gradient = frozen ? kernels::batch_norm_frozen_gradient<float> : kernels::batch_norm_gradient<float>;
        gradient(rows, channels, p.x.data(), p.mean.data(), p.variance.data(), p.epsilon, p.gamma.data(), p.dy.data(),
                 {dx.data(), dgamma.data(), dbeta.data()});
        bool close = true;
        for (std::size_t i = 0; i < dx.size(); ++i) close &= std::abs(static_cast<double>(dx[i]) - dx64[i]) < 2e-6;
        CHECK(close);
        for (std::size_t c = 0; c < dgamma.size(); ++c) {
          CHECK(dgamma[c] == Approx(dgamma64[c]).epsilon(1e-5).margin(1e-4));
          CHECK(dbeta[c] == Approx(dbeta64[c]).epsilon(1e-5).margin(1e-5));
        }
        std::vector<float> overwritten(dx.size(), NAN);
        gradient(rows, channels, p.x.data(), p.mean.data(), p.variance.data(), p.epsilon, p.gamma.data(), p.dy.data(),
                 {overwritten.data(), nullptr, nullptr, kernels::Store::overwrite});
        CHECK(overwritten == dx);
        dx.insert(dx.end(), dgamma.begin(), dgamma.end());
        dx.insert(dx.end(), dbeta.begin(), dbeta.end());
        if (first.empty()) first = dx;
        CHECK(same_bits(dx, first));
        gradient(rows, channels, p.x.data(), p.mean.data(), p.variance.data(), p.epsilon, p.gamma.data(), p.dy.data(),
                 {nullptr, nullptr, nullptr});
      });
    }
  }
}
