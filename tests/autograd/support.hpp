// Helpers of the autograd tests.
#pragma once

#include <catch2/catch.hpp>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad::testing {

/// Sets a number of threads for one scope.
struct Threads {
  explicit Threads(int n) : before(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};

inline Tensor uniform(const Shape& shape, std::uint64_t seed, double lo = -1, double hi = 1,
                      DType dtype = DType::float64) {
  Tensor result(shape, dtype);
  Random(seed, 77).fill_uniform(result, lo, hi);
  return result;
}

/// Gradient check of every element, as an assertion that tells the report.
inline void check_gradient(const DifferentiableFunction& f, const std::vector<Tensor>& inputs,
                           GradientCheckOptions options = {}) {
  for (const std::uint64_t seed : {1u, 2u}) {
    options.seed = seed;
    const GradientReport report = check_gradients(f, inputs, {}, options);
    INFO(report);
    CHECK(report.passed);
  }
}

/// Values and input gradients (for a seed of random numbers) of a function.
struct Pass {
  Tensor value;
  std::vector<Tensor> gradients;
};
inline Pass run_pass(const DifferentiableFunction& f, const std::vector<Tensor>& inputs) {
  Tape tape;
  std::vector<Variable> leaves;
  for (const Tensor& input : inputs) leaves.push_back(tape.watch(input));
  const Variable y = f(leaves);
  tape.backward(y, uniform(y.shape(), 5, -1, 1, DType::float32).to(y.dtype()));
  Pass result{y.value(), {}};
  for (const Variable& leaf : leaves) result.gradients.push_back(tape.gradient(leaf));
  return result;
}

/// Largest |a - b| / max(1, |b|).
inline double distance(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const Tensor wide_a = a.to(DType::float64), wide_b = b.to(DType::float64);
  double worst = 0;
  for (std::size_t i = 0; i < wide_a.span<double>().size(); ++i) {
    const double d = std::abs(wide_a.span<double>()[i] - wide_b.span<double>()[i]) /
                     std::max(1.0, std::abs(wide_b.span<double>()[i]));
    if (!(d <= worst)) worst = d;
  }
  return worst;
}

/// The float32 operation gives the float64 one's values and gradients within `bound`, and the same bytes for 1, 2 and 3
/// threads.
inline void check_float32(const DifferentiableFunction& f, const std::vector<Tensor>& inputs, double bound = 1e-5) {
  std::vector<Tensor> narrow, wide;
  for (const Tensor& input : inputs) narrow.push_back(input.to(DType::float32));
  for (const Tensor& input : narrow) wide.push_back(input.to(DType::float64));
  const Pass expected = run_pass(f, wide);
  Pass first;
  for (const int threads : {1, 2, 3}) {
    const Threads scope(threads);
    const Pass found = run_pass(f, narrow);
    if (threads == 1) {
      first = found;
      CHECK(distance(found.value, expected.value) <= bound);
      for (std::size_t i = 0; i < inputs.size(); ++i)
        CHECK(distance(found.gradients[i], expected.gradients[i]) <= bound);
    }
    CHECK(identical(found.value, first.value));
    for (std::size_t i = 0; i < inputs.size(); ++i) CHECK(identical(found.gradients[i], first.gradients[i]));
  }
}

/// Equal up to a relative (below 1: absolute) difference.
inline bool near(const std::vector<double>& found, const std::vector<double>& expected, double bound = 1e-12) {
  UNSCOPED_INFO("found " << Catch::Detail::stringify(found) << ", expected " << Catch::Detail::stringify(expected));
  bool equal = found.size() == expected.size();
  for (std::size_t i = 0; equal && i < found.size(); ++i)
    equal = std::abs(found[i] - expected[i]) <= bound * std::max(1.0, std::abs(expected[i]));
  return equal;
}

/// The message of the exception of type E that f throws; fails when it throws none.
template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  FAIL("no exception");
  return {};
}

}  // namespace bitgrad::testing
