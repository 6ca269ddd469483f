#include <catch2/catch.hpp>

#include <numeric>

#include <xtensor-blas/xlinalg.hpp>
#include <xtensor/xbuilder.hpp>
#include <xtensor/xfixed.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xsort.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include <bitgrad/core/xt.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

Tensor ramp(const Shape& shape) {
  Tensor result(shape);
  std::iota(result.data<float>(), result.data<float>() + result.size(), 0.0f);
  return result;
}

}  // namespace

TEST_CASE("xt: a view has the tensor's shape and elements, without a copy") {
  Tensor tensor = ramp({2, 3});
  auto view = as_xt<float>(tensor);
  REQUIRE(view.dimension() == 2);
  CHECK(view.shape(0) == 2);
  CHECK(view.shape(1) == 3);
  CHECK(view.data() == tensor.data<float>());
  CHECK(view(1, 2) == 5);
  view(1, 0) = 7;
  CHECK(tensor.at<float>({1, 0}) == 7);
  const Tensor& constant = tensor;
  const auto read = as_xt<float>(constant);
  CHECK(read(1, 0) == 7);
  static_assert(std::is_const_v<std::remove_reference_t<decltype(*as_xt<float>(constant).data())>>);
  CHECK(as_xt<float>(Tensor::scalar(4))() == 4);
  CHECK(as_xt<float>(Tensor({0, 3})).size() == 0);
  Tensor rows = tensor.rows(1, 2);
  CHECK(as_xt<float>(rows)(0, 0) == 7);
}

TEST_CASE("xt: a view keeps the elements of a temporary alive") {
  const auto view = as_xt<float>(Tensor::full({1000}, 3));
  const Tensor other = Tensor::full({1000}, 4);  // would get the buffer if it had gone back to the pool
  CHECK(xt::sum<double>(view)() == 3000);
  const auto lazy = as_xt<float>(Tensor::full({1000}, 3)) + as_xt<float>(other);
  const Tensor another = Tensor::full({1000}, 5);
  CHECK(xt::sum<double>(lazy)() == 7000);
}

TEST_CASE("xt: writing through a view") {
  Tensor tensor = ramp({2, 3});
  const float* before = tensor.data<float>();
  auto view = as_xt<float>(tensor);
  xt::noalias(view) = 2 * view + 1;
  CHECK(identical(tensor, Tensor::from({2, 3}, {1, 3, 5, 7, 9, 11})));
  view = view - 1;
  CHECK(identical(tensor, Tensor::from({2, 3}, {0, 2, 4, 6, 8, 10})));
  view += xt::xtensor_fixed<float, xt::xshape<3>>{1, 2, 3};
  CHECK(identical(tensor, Tensor::from({2, 3}, {1, 4, 7, 7, 10, 13})));
  view.fill(0);
  xt::view(view, xt::all(), 1) = 9;
  CHECK(identical(tensor, Tensor::from({2, 3}, {0, 9, 0, 0, 9, 0})));
  CHECK(tensor.data<float>() == before);
  CHECK(view.data() == before);
}

TEST_CASE("xt: expressions become tensors") {
  const Tensor x = ramp({2, 3});
  const auto view = as_xt<float>(x);
  CHECK(identical(from_xt(view * view), Tensor::from({2, 3}, {0, 1, 4, 9, 16, 25})));
  CHECK(identical(from_xt(xt::transpose(view)), Tensor::from({3, 2}, {0, 3, 1, 4, 2, 5})));
  CHECK(identical(from_xt(xt::sum(view, {0})), Tensor::from({3}, {3, 5, 7})));
  CHECK(identical(from_xt(xt::sum(view)), Tensor::scalar(15)));
  CHECK(identical(from_xt(xt::view(view, 1, xt::range(0, 3, 2))), Tensor::from({2}, {3, 5})));
  CHECK(identical(from_xt(view + xt::xtensor_fixed<float, xt::xshape<2, 1>>{{10}, {20}}),
                  Tensor::from({2, 3}, {10, 11, 12, 23, 24, 25})));
  CHECK(identical(from_xt(xt::xarray<float, xt::layout_type::column_major>{{1, 2}, {3, 4}}),
                  Tensor::from({2, 2}, {1, 2, 3, 4})));
  CHECK(from_xt(xt::zeros<float>({0, 4})).shape() == Shape{0, 4});
  CHECK(from_xt(xt::ones<double>({2, 1, 2, 1, 2, 1})).shape() == Shape{2, 1, 2, 1, 2, 1});
  CHECK_THROWS_WITH(from_xt(xt::ones<float>({1, 1, 1, 1, 1, 1, 1})), Contains("rank 7"));
}

TEST_CASE("xt: the dtype is that of the expression, or the one that is asked for") {
  const Tensor x = ramp({4});
  const auto view = as_xt<float>(x);
  CHECK(identical(from_xt(view > 1), Tensor::from({4}, std::vector<std::uint8_t>{0, 0, 1, 1})));
  CHECK(from_xt(xt::arange<std::int32_t>(3)).dtype() == DType::int32);
  CHECK(from_xt(xt::zeros<std::int8_t>({2})).dtype() == DType::int8);
  CHECK(from_xt(xt::cast<double>(view)).dtype() == DType::float64);
  CHECK(identical(from_xt<std::int32_t>(xt::argmax(view)), Tensor::scalar(3, DType::int32)));
  CHECK(identical(from_xt<float>(xt::arange<std::int64_t>(2)), Tensor::from({2}, {0, 1})));
  CHECK(identical(from_xt<std::int8_t>(view * 1.5f), Tensor::from({4}, std::vector<std::int8_t>{0, 1, 3, 4})));
}

TEST_CASE("xt: assignment into a tensor keeps its buffer and dtype") {
  Tensor target({2, 2}, DType::int32);
  const std::byte* before = target.bytes();
  assign_xt(target, xt::xarray<float>{{1.7f, -1.7f}, {3, 4}});
  CHECK(identical(target, Tensor::from({2, 2}, std::vector<std::int32_t>{1, -1, 3, 4})));
  assign_xt(target, as_xt<std::int32_t>(target) * 2);
  CHECK(identical(target, Tensor::from({2, 2}, std::vector<std::int32_t>{2, -2, 6, 8})));
  CHECK(target.bytes() == before);
  CHECK_THROWS_WITH(assign_xt(target, xt::xarray<float>{1, 2, 3, 4}),
                    "assign_xt: the expression has shape (4), the tensor (2, 2)");
  CHECK_THROWS_WITH(assign_xt(target, xt::xarray<float>{1, 2}), Contains("has shape (2), the tensor (2, 2)"));
  Tensor none;
  CHECK_THROWS_AS(assign_xt(none, xt::xarray<float>{1}), ShapeError);
}

TEST_CASE("xt: wrong dtypes and undefined tensors are refused") {
  Tensor x = ramp({2});
  CHECK_THROWS_WITH(as_xt<double>(x), "Tensor::data: elements are float32, asked for as float64");
  CHECK_THROWS_AS(as_xt<float>(Tensor()), ShapeError);
}

TEST_CASE("xt: matrix products of xtensor-blas on views") {
  const Tensor a = ramp({2, 3}), b = ramp({3, 2});
  const auto product = xt::linalg::dot(as_xt<float>(a), as_xt<float>(b));
  CHECK(identical(from_xt(product), Tensor::from({2, 2}, {10, 13, 28, 40})));
}
