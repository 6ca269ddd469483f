#include <catch2/catch.hpp>

#include <vector>

#include <bitgrad/core/dtype.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/shape.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("shape: extents, rank and size") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.size() == 24);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 4);
  CHECK(shape[-3] == 2);
  CHECK(Shape{}.rank() == 0);
  CHECK(Shape{}.size() == 1);
  CHECK(Shape{3, 0, 2}.size() == 0);
  CHECK(Shape(std::vector<Index>{5, 6}) == Shape{5, 6});
  CHECK(std::vector<Index>(shape.extents().begin(), shape.extents().end()) == std::vector<Index>{2, 3, 4});
  CHECK_THROWS_WITH(shape[3], "shape: axis 3 is out of range for rank 3, expected -3 to 2");
  CHECK_THROWS_AS(shape[-4], ShapeError);
}

TEST_CASE("shape: equality knows the rank") {
  CHECK(Shape{2, 3} == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == Shape{3, 2});
  CHECK_FALSE(Shape{2} == Shape{2, 0});
  CHECK_FALSE(Shape{} == Shape{0});
}

TEST_CASE("shape: what is no shape is refused") {
  CHECK_THROWS_WITH((Shape{2, -1}), "shape with a negative extent: -1");
  CHECK_THROWS_WITH((Shape{1, 1, 1, 1, 1, 1, 1}), "shape of rank 7, at most 6 is supported");
  CHECK(Shape{1, 1, 1, 1, 1, 1}.rank() == 6);
  CHECK_THROWS_WITH((Shape{Index{1} << 32, Index{1} << 31}), "shape whose number of elements does not fit 64 bits");
  CHECK(Shape{Index{1} << 32, Index{1} << 30}.size() == Index{1} << 62);
  CHECK_THROWS_AS((Shape{0, Index{1} << 32, Index{1} << 32}), ShapeError);  // inner extents alone must be countable
}

TEST_CASE("shape: changed copies") {
  const Shape shape{2, 3};
  CHECK(shape.with(1, 7) == Shape{2, 7});
  CHECK(shape.with(-2, 0) == Shape{0, 3});
  CHECK(shape.prepended(5) == Shape{5, 2, 3});
  CHECK(shape.without_front() == Shape{3});
  CHECK(Shape{4}.without_front() == Shape{});
  CHECK(Shape{}.prepended(1) == Shape{1});
  CHECK(shape == Shape{2, 3});
  CHECK_THROWS_AS(shape.with(2, 1), ShapeError);
  CHECK_THROWS_AS(shape.with(0, -1), ShapeError);
  CHECK_THROWS_WITH(Shape{}.without_front(), "a scalar has no outermost axis to remove");
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1}.prepended(1)), ShapeError);
}

TEST_CASE("shape: text") {
  CHECK(to_string(Shape{64, 28, 28, 1}) == "(64, 28, 28, 1)");
  CHECK(to_string(Shape{5}) == "(5)");
  CHECK(to_string(Shape{}) == "()");
  CHECK(message("shape ", Shape{1, 2}) == "shape (1, 2)");
}

TEST_CASE("shape: axes from both ends") {
  CHECK(normalize_axis(0, 2, "f") == 0);
  CHECK(normalize_axis(-1, 2, "f") == 1);
  CHECK(normalize_axis(-2, 2, "f") == 0);
  CHECK_THROWS_WITH(normalize_axis(2, 2, "softmax"), "softmax: axis 2 is out of range for rank 2, expected -2 to 1");
  CHECK_THROWS_AS(normalize_axis(-3, 2, "f"), ShapeError);
}

TEST_CASE("shape: broadcasting is NumPy's") {
  CHECK(broadcast_shapes({2, 3}, {2, 3}, "f") == Shape{2, 3});
  CHECK(broadcast_shapes({2, 3}, {3}, "f") == Shape{2, 3});
  CHECK(broadcast_shapes({3}, {2, 1}, "f") == Shape{2, 3});
  CHECK(broadcast_shapes({4, 1, 3}, {5, 1}, "f") == Shape{4, 5, 3});
  CHECK(broadcast_shapes({}, {2}, "f") == Shape{2});
  CHECK(broadcast_shapes({}, {}, "f") == Shape{});
  CHECK(broadcast_shapes({0, 3}, {1, 3}, "f") == Shape{0, 3});
  CHECK_THROWS_WITH(broadcast_shapes({2, 3}, {2}, "add"),
                    "add: shapes (2, 3) and (2) do not broadcast: axis -1 has 3 and 2");
  CHECK_THROWS_AS(broadcast_shapes({0}, {2}, "f"), ShapeError);
}

TEST_CASE("dtype: sizes, names and C++ types") {
  CHECK(size_of(DType::float32) == 4);
  CHECK(size_of(DType::float64) == 8);
  CHECK(size_of(DType::int8) == 1);
  CHECK(size_of(DType::uint8) == 1);
  CHECK(size_of(DType::int32) == 4);
  CHECK(name_of(DType::float32) == "float32");
  CHECK(name_of(DType::float64) == "float64");
  CHECK(name_of(DType::int8) == "int8");
  CHECK(name_of(DType::uint8) == "uint8");
  CHECK(message(DType::int32) == "int32");
  for (const DType dtype : {DType::float32, DType::float64, DType::int8, DType::uint8, DType::int32})
    CHECK(dispatch_any(dtype, [](auto zero) { return dtype_of<decltype(zero)>; }) == dtype);
  CHECK(dispatch_floating("f", DType::float64, [](auto zero) { return sizeof zero; }) == 8);
  CHECK(dispatch_floating("f", DType::float32, [](auto zero) { return sizeof zero; }) == 4);
  CHECK_THROWS_WITH(dispatch_floating("relu", DType::int8, [](auto) {}),
                    "relu: dtype is int8, expected float32 or float64");
}
