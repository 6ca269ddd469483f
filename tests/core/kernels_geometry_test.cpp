#include <catch2/catch.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/shape.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("SAME padding follows TensorFlow's rule") {
  struct Row {
    Index in, kernel, stride, out, before, after;
  };
  // Worked out by hand from out = ceil(in / stride), total = max((out - 1) * stride + kernel - in, 0).
  for (const Row& row :
       {Row{5, 3, 1, 5, 1, 1}, Row{5, 2, 1, 5, 0, 1}, Row{6, 3, 2, 3, 0, 1}, Row{5, 3, 2, 3, 1, 1},
        Row{32, 3, 2, 16, 0, 1}, Row{4, 1, 2, 2, 0, 0}, Row{7, 5, 3, 3, 2, 2}, Row{1, 3, 1, 1, 1, 1}}) {
    const auto g = conv2d_geometry({2, row.in, 4, 3}, {row.kernel, 1, 3, 8}, {row.stride, 1}, Padding::same());
    CAPTURE(row.in, row.kernel, row.stride);
    CHECK(g.out_h == row.out);
    CHECK(g.pad_top == row.before);
    CHECK(g.pad_bottom == row.after);
    CHECK(g.out_w == 4);
    CHECK(output_shape(g) == Shape{2, row.out, 4, 8});
    CHECK(input_shape(g) == Shape{2, row.in, 4, 3});
    CHECK(kernel_shape(g) == Shape{row.kernel, 1, 3, 8});
  }
}

TEST_CASE("valid and explicit padding") {
  const auto valid = conv2d_geometry({1, 7, 8, 1}, {3, 3, 1, 1}, {2, 3}, Padding::valid());
  CHECK(output_shape(valid) == Shape{1, 3, 2, 1});
  const auto given = conv2d_geometry({1, 7, 8, 1}, {3, 3, 1, 1}, {2, 3}, Padding::explicit_(1, 0, 2, 4));
  CHECK(output_shape(given) == Shape{1, 3, 4, 1});
  CHECK(given.pad_top == 1);
  CHECK(given.pad_right == 4);
  const auto pool = pool2d_geometry({3, 7, 6, 5}, {2, 2}, {2, 2}, Padding::valid());
  CHECK(output_shape(pool) == Shape{3, 3, 3, 5});
  CHECK(input_shape(pool) == Shape{3, 7, 6, 5});
}

TEST_CASE("geometries that do not fit are refused by name") {
  const auto conv = [](Shape input, Shape kernel, Stride stride = {}, Padding padding = {}) {
    return conv2d_geometry(input, kernel, stride, padding);
  };
  CHECK_THROWS_WITH(conv({1, 5, 5, 3}, {3, 3, 4, 8}),
                    Contains("3 channels") && Contains("(3, 3, 4, 8)") && Contains("expects 4"));
  CHECK_THROWS_AS(conv({5, 5, 3}, {3, 3, 3, 8}), ShapeError);
  CHECK_THROWS_AS(conv({1, 5, 5, 3}, {3, 3, 8}), ShapeError);
  CHECK_THROWS_AS(conv({1, 0, 5, 3}, {3, 3, 3, 8}, {}, Padding::same()), ShapeError);
  CHECK_THROWS_AS(conv({1, 5, 5, 3}, {3, 3, 3, 0}), ShapeError);
  CHECK_THROWS_WITH(conv({1, 2, 5, 3}, {3, 3, 3, 8}), Contains("height 3 does not fit an input of height 2"));
  CHECK_THROWS_WITH(conv({1, 5, 1, 3}, {3, 3, 3, 8}, {}, Padding::explicit_(0, 0, 1, 0)), Contains("2 with padding"));
  CHECK_THROWS_AS(conv({1, 5, 5, 3}, {3, 3, 3, 8}, {0, 1}), ValueError);
  CHECK_THROWS_AS(conv({1, 5, 5, 3}, {3, 3, 3, 8}, {1, -1}), ValueError);
  CHECK_THROWS_AS(Padding::explicit_(0, -1, 0, 0), ValueError);
  CHECK_THROWS_WITH(pool2d_geometry({1, 4, 4, 1}, {2, 2}, {1, 1}, Padding::explicit_(2, 0, 0, 0)),
                    Contains("padding 2"));
  CHECK_THROWS_AS(pool2d_geometry({1, 4, 4, 1}, {0, 2}, {1, 1}, Padding::valid()), ValueError);
  CHECK_THROWS_AS(pool2d_geometry({4, 4, 1}, {2, 2}, {1, 1}, Padding::valid()), ShapeError);
  CHECK(conv({0, 5, 5, 3}, {3, 3, 3, 8}).out_h == 3);
}
