#include <catch2/catch.hpp>

#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/annealing.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("a linear annealing keeps its ends and runs straight between them") {
  const LinearAnnealing annealing(10, 30, 20, 2);
  CHECK(annealing(0) == 20);
  CHECK(annealing(10) == 20);
  CHECK(annealing(15) == 15.5F);
  CHECK(annealing(20) == 11);
  CHECK(annealing(30) == 2);
  CHECK(annealing(1e300) == 2);
  CHECK(annealing(-std::numeric_limits<double>::infinity()) == 20);
  CHECK(LinearAnnealing(0, 1, 0, 1)(0.25) == 0.25F);
}

TEST_CASE("a linear annealing computes in float32") {
  // 3.4 + 0.68 * -5 is 4.4e-16 in double; in float32 it is 0.
  CHECK(LinearAnnealing(10, 35, 3.4, -1.6)(27) == 0);
  CHECK(LinearAnnealing(10, 35, 3.4, -1.6)(0) == 3.4F);
}

TEST_CASE("a linear annealing refuses times and values that make no sense") {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [start, end] :
       {std::pair{5.0, 4.0}, {4.0, 4.0}, {-1.0, 4.0}, {0.0, 0.0}, {nan, 4.0}, {0.0, nan}, {0.0, inf}})
    CHECK_THROWS_WITH(LinearAnnealing(start, end, 0, 1), Contains("t_start is") && Contains("0 <= t_start < t_end"));
  for (const double bad : {inf, -inf, nan}) {
    CHECK_THROWS_WITH(LinearAnnealing(0, 1, bad, 1), Contains("finite"));
    CHECK_THROWS_WITH(LinearAnnealing(0, 1, 0, bad), Contains("finite"));
  }
  CHECK_THROWS_WITH(LinearAnnealing(0, 1, 0, 1)(nan), Contains("NaN"));
}
