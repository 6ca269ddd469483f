// Tensors with their axes in another order.
#include <catch2/catch.hpp>

#include <array>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/permuted.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("permuted: the axes say where each axis of the result comes from") {
  for (const DType dtype : {DType::float32, DType::float64}) {
    Tensor x({2, 3, 4}, DType::float64);
    for (Index i = 0; i < x.size(); ++i) x.data<double>()[i] = static_cast<double>(i);
    const Tensor y = permuted(x.to(dtype), std::array{2, 0, 1});
    REQUIRE(y.shape() == Shape{4, 2, 3});
    CHECK(y.dtype() == dtype);
    const Tensor values = y.to(DType::float64);
    for (Index a = 0; a < 4; ++a)
      for (Index b = 0; b < 2; ++b)
        for (Index c = 0; c < 3; ++c) CHECK(values.at<double>({a, b, c}) == x.at<double>({b, c, a}));
  }
  CHECK(permuted(Tensor({0, 5}), std::array{1, 0}).shape() == Shape{5, 0});
  CHECK(permuted(Tensor::scalar(3), std::span<const int>()).item() == 3);
}

TEST_CASE("permuted: axes that are no order of the tensor's, and integers, are refused") {
  const Tensor x({2, 3});
  CHECK_THROWS_WITH(permuted(x, std::array{0, 0}), Contains("axes are 0, 0, expected each of the 2 axes"));
  CHECK_THROWS_AS(permuted(x, std::array{0, 2}), ValueError);
  CHECK_THROWS_AS(permuted(x, std::array{0}), ValueError);
  CHECK_THROWS_AS(permuted(x, std::array{0, -1}), ValueError);
  CHECK_THROWS_AS(permuted(Tensor({2, 3}, DType::int32), std::array{1, 0}), ShapeError);
}
