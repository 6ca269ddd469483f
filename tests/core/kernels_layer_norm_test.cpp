#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/core/kernels/layer_norm.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// What one call of each kernel gives.
template <class T>
struct Results {
  std::vector<T> y, dx, dgamma;
};

template <class T>
std::vector<T> as(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

struct Problem {
  Index rows, width;
  std::vector<float> x, gamma, beta, dy;
  double epsilon = 1e-3;

  Problem(Index r, Index w)
      : rows(r), width(w), x(reals(r * w, 1, 3.0f)), gamma(reals(w, 2)), beta(reals(w, 3)), dy(reals(r * w, 4)) {
    for (Index i = 0; i < r * w; ++i) x[at(i)] += static_cast<float>(i / w % 7);
  }

  template <class T>
  Results<T> run(kernels::Store store = kernels::Store::overwrite) const {
    const std::vector<T> from = as<T>(x), scale = as<T>(gamma), offset = as<T>(beta), g = as<T>(dy);
    std::vector<T> means(at(rows)), factors(at(rows));
    Results<T> result{std::vector<T>(from.size()), std::vector<T>(from.size(), 2), std::vector<T>(at(width), 1)};
    kernels::layer_norm_forward(rows, width, epsilon, from.data(), scale.data(), offset.data(), result.y.data(),
                                means.data(), factors.data());
    kernels::layer_norm_gradient(rows, width, from.data(), means.data(), factors.data(), scale.data(), g.data(), store,
                                 result.dx.data());
    kernels::layer_norm_gamma_gradient(rows, width, from.data(), means.data(), factors.data(), g.data(),
                                       result.dgamma.data());
    return result;
  }

  /// The definition, in long double.
  Results<double> naive() const {
    const auto n = static_cast<long double>(width);
    Results<double> result{std::vector<double>(x.size()), std::vector<double>(x.size()),
                           std::vector<double>(at(width), 1)};
    for (Index r = 0; r < rows; ++r) {
      const auto element = [&](const std::vector<float>& v, Index c) {
        return static_cast<long double>(v[at(r * width + c)]);
      };
      long double mean = 0, variance = 0, sum = 0, product = 0;
      for (Index c = 0; c < width; ++c) mean += element(x, c) / n;
      for (Index c = 0; c < width; ++c) variance += (element(x, c) - mean) * (element(x, c) - mean) / n;
      const long double factor = 1 / std::sqrt(variance + static_cast<long double>(epsilon));
      const auto normal = [&](Index c) { return (element(x, c) - mean) * factor; };
      const auto scaled = [&](Index c) { return element(dy, c) * static_cast<long double>(gamma[at(c)]); };
      for (Index c = 0; c < width; ++c) sum += scaled(c) / n, product += scaled(c) * normal(c) / n;
      for (Index c = 0; c < width; ++c) {
        result.y[at(r * width + c)] = static_cast<double>(normal(c) * static_cast<long double>(gamma[at(c)]) +
                                                          static_cast<long double>(beta[at(c)]));
        result.dx[at(r * width + c)] = static_cast<double>(factor * (scaled(c) - sum - normal(c) * product));
        result.dgamma[at(c)] += static_cast<double>(element(dy, c) * normal(c));
      }
    }
    return result;
  }
};

/// Largest |a - b| / max(1, |b|).
template <class T>
double distance(const std::vector<T>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]) / std::max(1.0, std::abs(b[i])));
  return largest;
}

const std::pair<Index, Index> extents[] = {{1, 2}, {3, 1}, {7, 15}, {5, 16}, {33, 17}, {2, 1000}, {300, 130}};

}  // namespace

TEST_CASE("layer normalisation and its gradients agree with the definition in long double") {
  for (const auto& [rows, width] : extents) {
    INFO(rows << " x " << width);
    const Problem problem(rows, width);
    const Results<double> expected = problem.naive();
    for_each_isa([&] {
      const Results<float> single = problem.run<float>();
      CHECK(distance(single.y, expected.y) < 2e-5);
      CHECK(distance(single.dx, expected.dx) < 1e-4);
      CHECK(distance(single.dgamma, expected.dgamma) < 1e-4);
      const Results<double> fine = problem.run<double>();
      CHECK(distance(fine.y, expected.y) < 1e-12);
      CHECK(distance(fine.dx, expected.dx) < 1e-11);
      CHECK(distance(fine.dgamma, expected.dgamma) < 1e-11);
    });
  }
}

TEST_CASE("layer normalisation: the same bits for every instruction set and number of threads, and gradients add") {
  for (const auto& [rows, width] : extents) {
    const Problem problem(rows, width);
    const Results<float> first = problem.run<float>();
    for_each_setting([&] {
      const Results<float> again = problem.run<float>();
      CHECK(same_bits(again.y, first.y));
      CHECK(same_bits(again.dx, first.dx));
      CHECK(same_bits(again.dgamma, first.dgamma));
      std::vector<float> added = first.dx;
      for (float& value : added) value = 2 + value;
      CHECK(same_bits(problem.run<float>(kernels::Store::add).dx, added));
    });
  }
}
