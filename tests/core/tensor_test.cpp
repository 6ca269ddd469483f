#include <catch2/catch.hpp>

#include <cmath>
#include <limits>
#include <new>
#include <numeric>
#include <vector>

#include <bitgrad/core/tensor.hpp>
#include "support/sanitizers.hpp"

using namespace bitgrad;
using Catch::Contains;

namespace {

Tensor ramp(const Shape& shape) {
  Tensor result(shape);
  std::iota(result.data<float>(), result.data<float>() + result.size(), 0.0f);
  return result;
}

constexpr DType all_dtypes[] = {DType::float32, DType::float64, DType::int8, DType::uint8, DType::int32};

}  // namespace

TEST_CASE("tensor: construction") {
  for (const DType dtype : all_dtypes) {
    const Tensor zeros = Tensor::zeros({2, 3}, dtype), sevens = Tensor::full({2, 3}, 7, dtype);
    CHECK(zeros.dtype() == dtype);
    CHECK(zeros.shape() == Shape{2, 3});
    CHECK(zeros.size() == 6);
    CHECK(zeros.byte_size() == 6 * size_of(dtype));
    for (const Index i : {0, 1})
      for (const Index k : {0, 1, 2}) {
        CHECK(zeros.slice(0, i, i + 1).slice(1, k, k + 1).item() == 0);
        CHECK(sevens.slice(0, i, i + 1).slice(1, k, k + 1).item() == 7);
      }
    CHECK(reinterpret_cast<std::uintptr_t>(zeros.bytes()) % 64 == 0);
  }
  CHECK(Tensor::scalar(2.5).item() == 2.5);
  CHECK(Tensor::scalar(2.5).rank() == 0);
  CHECK(Tensor::scalar(2.5).size() == 1);
  CHECK(Tensor({0, 3}).size() == 0);
  CHECK(Tensor({0, 3}).defined());
  const std::vector<std::int8_t> codes{-128, 127};
  CHECK(Tensor::from({2, 1}, codes).at<std::int8_t>({0, 0}) == -128);
  CHECK(Tensor::from({1}, {1.5f}).dtype() == DType::float32);
  CHECK_THROWS_WITH(Tensor::from({2, 2}, {1, 2, 3}), "Tensor::from: 3 values for shape (2, 2), expected 4");
}

TEST_CASE("tensor: an undefined tensor holds nothing and says so") {
  Tensor none;
  CHECK_FALSE(none.defined());
  CHECK(none.size() == 0);
  CHECK(none.byte_size() == 0);
  CHECK(to_string(none) == "Tensor undefined");
  CHECK_FALSE(none.clone().defined());
  CHECK(identical(none, Tensor()));
  CHECK_FALSE(identical(none, Tensor::scalar(0)));
  CHECK_THROWS_WITH(none.data<float>(), "Tensor::data: the tensor is undefined");
  CHECK_THROWS_AS(none.item(), ShapeError);
  CHECK_THROWS_WITH(none.fill(0), "Tensor::data: the tensor is undefined");
  CHECK_THROWS_WITH(none.reshape({0}), "reshape: the tensor is undefined");
  CHECK_THROWS_AS(none.rows(0, 0), ShapeError);
  CHECK_THROWS_AS(none.slice(0, 0, 0), ShapeError);
  CHECK_THROWS_WITH(none.copy_from(Tensor::scalar(0)), "Tensor::copy_from: the target is undefined");
  CHECK_THROWS_WITH(Tensor::scalar(0).copy_from(none), "Tensor::copy_from: the source is undefined");
}

TEST_CASE("tensor: copies share, clones do not") {
  Tensor a = ramp({3});
  CHECK(a.unique());
  Tensor b = a, c = a.clone();
  CHECK_FALSE(a.unique());
  CHECK(c.unique());
  b.at<float>({1}) = 9;
  CHECK(a.at<float>({1}) == 9);
  CHECK(c.at<float>({1}) == 1);
  b = Tensor();
  CHECK(a.unique());
}

TEST_CASE("tensor: element access counts from both ends and checks") {
  Tensor t = ramp({2, 3, 4});
  CHECK(t.at<float>({1, 2, 3}) == 23);
  CHECK(t.at<float>({-1, -1, -1}) == 23);
  CHECK(t.at<float>({0, 1, -4}) == 4);
  t.at<float>({1, 0, 0}) = -1;
  CHECK(t.data<float>()[12] == -1);
  const Tensor& constant = t;
  CHECK(constant.at<float>({1, 0, 0}) == -1);
  CHECK(constant.span<float>().size() == 24);
  CHECK_THROWS_WITH(t.at<float>({0, 3, 0}), "Tensor::at: index 3 is out of range for axis 1 of shape (2, 3, 4)");
  CHECK_THROWS_WITH(t.at<float>({0, 0, -5}), "Tensor::at: index -5 is out of range for axis 2 of shape (2, 3, 4)");
  CHECK_THROWS_WITH(t.at<float>({0, 0}), "Tensor::at: 2 indices for shape (2, 3, 4)");
  CHECK_THROWS_WITH(t.at<double>({0, 0, 0}), "Tensor::data: elements are float32, asked for as float64");
  CHECK_THROWS_AS(t.span<std::int8_t>(), ShapeError);
  CHECK_THROWS_WITH(t.item(), "Tensor::item: the tensor has shape (2, 3, 4), expected exactly one element");
  CHECK(Tensor::full({1, 1}, -3, DType::int8).item() == -3);
  CHECK(t.dim(-1) == 4);
  CHECK_THROWS_WITH(t.dim(3), Contains("axis 3 is out of range for rank 3"));
}

TEST_CASE("tensor: conversions") {
  const Tensor x = Tensor::from({5}, {-128.9f, -0.5f, 0.99f, 1.5f, 127.9f});
  CHECK(identical(x.to(DType::int8), Tensor::from({5}, std::vector<std::int8_t>{-128, 0, 0, 1, 127})));
  CHECK(identical(x.to(DType::float64).to(DType::float32), x));
  CHECK(x.to(DType::float32).data<float>() == x.data<float>());
  CHECK(identical(Tensor::from({2}, std::vector<std::uint8_t>{0, 255}).to(DType::int32),
                  Tensor::from({2}, std::vector<std::int32_t>{0, 255})));
  CHECK(identical(Tensor::from({1}, std::vector<double>{1e300}).to(DType::float32), Tensor::full({1}, INFINITY)));

  CHECK_THROWS_WITH(Tensor::full({1}, 128).to(DType::int8), "Tensor::to: int8 cannot hold 128");
  CHECK_THROWS_AS(Tensor::full({1}, -129).to(DType::int8), ValueError);
  CHECK_THROWS_WITH(Tensor::full({1}, -1, DType::int32).to(DType::uint8), "Tensor::to: uint8 cannot hold -1");
  CHECK_THROWS_WITH(Tensor::full({1}, 2147483648.0).to(DType::int32), Contains("int32 cannot hold 2.14748e+09"));
  CHECK(Tensor::full({1}, -2147483648.0).to(DType::int32).item() == -2147483648.0);
  CHECK_THROWS_WITH(Tensor::full({1}, NAN).to(DType::int32), Contains("cannot hold nan"));
  CHECK_THROWS_AS(Tensor::full({1}, INFINITY).to(DType::uint8), ValueError);
  CHECK_THROWS_WITH(Tensor::full({2}, 256, DType::uint8), "Tensor::fill: uint8 cannot hold 256");
  CHECK(Tensor::full({2}, 255.9, DType::uint8).at<std::uint8_t>({1}) == 255);
}

TEST_CASE("tensor: reshape and rows share, slice copies") {
  Tensor t = ramp({4, 3});
  Tensor reshaped = t.reshape({2, 6});
  CHECK(reshaped.at<float>({1, 0}) == 6);
  reshaped.at<float>({1, 0}) = 60;
  CHECK(t.at<float>({2, 0}) == 60);
  CHECK_THROWS_WITH(t.reshape({5, 2}), "reshape: (4, 3) has 12 elements, (5, 2) has 10");

  Tensor rows = t.rows(1, 3);
  CHECK(rows.shape() == Shape{2, 3});
  CHECK(rows.at<float>({0, 0}) == 3);
  rows.fill(-1);
  CHECK(identical(t, Tensor::from({4, 3}, {0, 1, 2, -1, -1, -1, -1, -1, -1, 9, 10, 11})));
  CHECK_FALSE(t.unique());
  CHECK(identical(rows.rows(1, 2), Tensor::from({1, 3}, {-1, -1, -1})));
  CHECK(t.rows(4, 4).shape() == Shape{0, 3});
  CHECK(Tensor({0, 3}).rows(0, 0).size() == 0);
  CHECK_THROWS_WITH(t.rows(2, 5), "Tensor::rows: [2, 5) is not inside [0, 4) of shape (4, 3)");
  CHECK_THROWS_AS(t.rows(-1, 2), ShapeError);
  CHECK_THROWS_AS(t.rows(3, 2), ShapeError);
  CHECK_THROWS_WITH(Tensor::scalar(1).rows(0, 1), "Tensor::rows: a scalar has no rows");

  const Tensor cube = ramp({2, 3, 4});
  Tensor slice = cube.slice(1, 1, 3);
  CHECK(identical(slice, Tensor::from({2, 2, 4}, {4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23})));
  CHECK(identical(cube.slice(-1, 3, 4), Tensor::from({2, 3, 1}, {3, 7, 11, 15, 19, 23})));
  CHECK(identical(cube.slice(0, 1, 2), cube.rows(1, 2)));
  CHECK(cube.slice(2, 4, 4).shape() == Shape{2, 3, 0});
  slice.fill(0);
  CHECK(cube.at<float>({0, 1, 0}) == 4);
  CHECK(identical(Tensor::from({3}, std::vector<std::int8_t>{1, 2, 3}).slice(0, 1, 3),
                  Tensor::from({2}, std::vector<std::int8_t>{2, 3})));
  CHECK_THROWS_WITH(cube.slice(1, 2, 4), "Tensor::slice: [2, 4) is not inside [0, 3) of axis 1 of shape (2, 3, 4)");
  CHECK_THROWS_WITH(cube.slice(3, 0, 1), Contains("Tensor::slice: axis 3 is out of range for rank 3"));
}

TEST_CASE("tensor: rows keep the elements alive") {
  Tensor tail = ramp({1000, 2}).rows(999, 1000);
  const Tensor other = Tensor::full({1000, 2}, -1);  // would get the buffer if it had gone back to the pool
  CHECK(tail.at<float>({0, 1}) == 1999);
}

TEST_CASE("tensor: copy_from") {
  Tensor target({2, 2});
  const float* before = target.data<float>();
  target.copy_from(ramp({2, 2}));
  CHECK(identical(target, ramp({2, 2})));
  CHECK(target.data<float>() == before);
  target.copy_from(target);
  target.rows(0, 1).copy_from(target.rows(1, 2));
  CHECK(identical(target, Tensor::from({2, 2}, {2, 3, 2, 3})));
  CHECK_THROWS_WITH(target.copy_from(ramp({4})), "Tensor::copy_from: source is float32 (4), expected float32 (2, 2)");
  CHECK_THROWS_WITH(target.copy_from(Tensor({2, 2}, DType::int32)), Contains("source is int32 (2, 2)"));
}

TEST_CASE("tensor: identical compares bits, shapes and dtypes") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(identical(Tensor::full({2}, nan), Tensor::full({2}, nan)));
  CHECK_FALSE(identical(Tensor::from({1}, {0.0f}), Tensor::from({1}, {-0.0f})));
  CHECK_FALSE(identical(ramp({2}), ramp({1, 2})));
  CHECK_FALSE(identical(Tensor::zeros({2}), Tensor::zeros({2}, DType::int32)));
  CHECK_FALSE(identical(ramp({3}), Tensor::from({3}, {0, 1, 3})));
  CHECK(identical(Tensor({0}), Tensor({0})));
}

TEST_CASE("tensor: printing") {
  CHECK(to_string(Tensor::from({2, 2}, {1, 2.5f, -3, 4})) == "Tensor float32 (2, 2) [[1, 2.5], [-3, 4]]");
  CHECK(to_string(Tensor::scalar(3, DType::int32)) == "Tensor int32 () 3");
  CHECK(to_string(Tensor::from({2}, std::vector<std::uint8_t>{65, 255})) == "Tensor uint8 (2) [65, 255]");
  CHECK(to_string(Tensor::from({1}, std::vector<std::int8_t>{-7})) == "Tensor int8 (1) [-7]");
  CHECK(to_string(Tensor({0})) == "Tensor float32 (0) []");
  CHECK(to_string(Tensor({2, 0})) == "Tensor float32 (2, 0) [[], []]");
  CHECK(to_string(ramp({8})) == "Tensor float32 (8) [0, 1, 2, 3, 4, 5, 6, 7]");
  CHECK(to_string(ramp({9})) == "Tensor float32 (9) [0, 1, 2, ..., 6, 7, 8]");
  CHECK(to_string(ramp({100, 1})) == "Tensor float32 (100, 1) [[0], [1], [2], ..., [97], [98], [99]]");
}

TEST_CASE("tensor: sizes beyond memory are refused, not wrapped") {
  CHECK_THROWS_WITH(Tensor({Index{1} << 61}, DType::float64), Contains("needs more bytes than 63 bits can count"));
  CHECK_THROWS_WITH(Tensor({Index{1} << 62, 1}), Contains("float32 (4611686018427387904, 1)"));
  if (support::impossible_allocations_throw) CHECK_THROWS_AS(Tensor({Index{1} << 60}, DType::uint8), std::bad_alloc);
}
