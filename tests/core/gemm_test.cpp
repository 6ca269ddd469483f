#include <catch2/catch.hpp>

#include <array>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/gemm.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

struct Case {
  Transpose a_op, b_op;
  Index m, n, k, lda, ldb, ldc;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const auto& [m, n, k] :
       {std::array<Index, 3>{1, 1, 1}, {3, 5, 7}, {17, 1, 33}, {1, 40, 9}, {64, 33, 20}, {150, 70, 90}})
    for (const Transpose a_op : {Transpose::no, Transpose::yes})
      for (const Transpose b_op : {Transpose::no, Transpose::yes})
        for (const Index extra : {0, 3}) {
          const Index lda = (a_op == Transpose::no ? k : m) + extra;
          const Index ldb = (b_op == Transpose::no ? n : k) + extra;
          result.push_back({a_op, b_op, m, n, k, lda, ldb, n + extra});
        }
  return result;
}

template <class T>
std::vector<T> naive(const Case& p, T alpha, const std::vector<T>& a, const std::vector<T>& b, T beta,
                     std::vector<T> c) {
  const auto at = [](Index i) { return static_cast<std::size_t>(i); };
  for (Index i = 0; i < p.m; ++i)
    for (Index j = 0; j < p.n; ++j) {
      T sum = 0;
      for (Index l = 0; l < p.k; ++l)
        sum += a[at(p.a_op == Transpose::no ? i * p.lda + l : l * p.lda + i)] *
               b[at(p.b_op == Transpose::no ? l * p.ldb + j : j * p.ldb + l)];
      T& out = c[at(i * p.ldc + j)];
      out = alpha * sum + (beta == T{0} ? T{0} : beta * out);
    }
  return c;
}

template <class T, class Product>
void check_product(Product product) {
  for (const Case& p : cases())
    for (const T beta : {T{0}, T{1}, T{-2}}) {
      const auto a = small_integers<T>((p.a_op == Transpose::no ? p.m : p.k) * p.lda, 1);
      const auto b = small_integers<T>((p.b_op == Transpose::no ? p.k : p.n) * p.ldb, 2);
      auto c = small_integers<T>(p.m * p.ldc, 3);
      const auto expected = naive(p, T{2}, a, b, beta, c);
      product(p.a_op, p.b_op, p.m, p.n, p.k, T{2}, a.data(), p.lda, b.data(), p.ldb, beta, c.data(), p.ldc);
      CAPTURE(p.m, p.n, p.k, p.lda, p.ldb, beta);
      CHECK(same_bits(c, expected));
    }
}

}  // namespace

TEST_CASE("gemm agrees with three loops, transposed or not, with padded rows, float and double") {
  check_product<float>([](auto... args) { gemm(args...); });
  check_product<double>([](auto... args) { gemm(args...); });
}

TEST_CASE("parallel_gemm agrees with three loops") {
  const ThreadsScope threads(3);
  check_product<float>([](auto... args) { parallel_gemm(args...); });
  check_product<double>([](auto... args) { parallel_gemm(args...); });
}

TEST_CASE("parallel_gemm gives the same bytes for any number of threads") {
  // The second: fewer rows per call would fall into OpenBLAS's kernels for small matrices, which sum k in another
  // order.
  for (const auto& [m, n, k] : {std::array<Index, 3>{517, 130, 301}, {300, 8, 1000}}) {
    const auto a = reals(m * k, 1), b = reals(k * n, 2);
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 5}) {
      const ThreadsScope scope(threads);
      auto& c = results.emplace_back(static_cast<std::size_t>(m * n));
      parallel_gemm(Transpose::no, Transpose::no, m, n, k, 1.0f, a.data(), k, b.data(), n, 0.0f, c.data(), n);
    }
    CHECK(same_bits(results[0], results[1]));
    CHECK(same_bits(results[0], results[2]));
  }
}

TEST_CASE("gemm never reads C when beta is 0 and scales C when k is 0") {
  const float one = 1.0f;
  float c = std::numeric_limits<float>::quiet_NaN();
  gemm(Transpose::no, Transpose::no, 1, 1, 1, 1.0f, &one, 1, &one, 1, 0.0f, &c, 1);
  CHECK(c == 1.0f);
  gemm(Transpose::no, Transpose::no, 1, 1, 0, 1.0f, &one, 0, &one, 1, 3.0f, &c, 1);
  CHECK(c == 3.0f);
  gemm(Transpose::no, Transpose::no, 0, 1, 1, 1.0f, &one, 1, &one, 1, 0.0f, &c, 1);
  CHECK(c == 3.0f);
}

TEST_CASE("gemm refuses row distances that are too small and extents beyond 31 bits") {
  float x = 0;
  CHECK_THROWS_AS(gemm(Transpose::no, Transpose::no, 2, 2, 3, 1.0f, &x, 2, &x, 2, 0.0f, &x, 2), ShapeError);
  CHECK_THROWS_AS(gemm(Transpose::yes, Transpose::no, 2, 2, 3, 1.0f, &x, 1, &x, 2, 0.0f, &x, 2), ShapeError);
  CHECK_THROWS_AS(
      gemm(Transpose::no, Transpose::no, 1, 1, Index{1} << 31, 1.0f, &x, Index{1} << 31, &x, 1, 0.0f, &x, 1),
      ShapeError);
  CHECK_THROWS_AS(gemm(Transpose::no, Transpose::no, -1, 1, 1, 1.0f, &x, 1, &x, 1, 0.0f, &x, 1), ShapeError);
}

TEST_CASE("the BLAS names its kernels") { CHECK_FALSE(blas_core_name().empty()); }
