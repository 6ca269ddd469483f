#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <bitgrad/core/kernels/pool.hpp>
#include <bitgrad/core/shape.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

std::vector<Pool2DGeometry> geometries() {
  return {
      pool2d_geometry({1, 1, 1, 1}, {1, 1}, {1, 1}, Padding::valid()),
      pool2d_geometry({2, 6, 6, 5}, {2, 2}, {2, 2}, Padding::valid()),
      pool2d_geometry({2, 7, 5, 3}, {3, 3}, {2, 2}, Padding::same()),
      pool2d_geometry({3, 5, 6, 33}, {3, 2}, {1, 1}, Padding::explicit_(1, 2, 0, 1)),
      pool2d_geometry({2, 5, 5, 4}, {2, 2}, {3, 3}, Padding::valid()),
      pool2d_geometry({3, 8, 8, 64}, {8, 8}, {1, 1}, Padding::valid()),
      pool2d_geometry({6, 32, 32, 16}, {2, 2}, {2, 2}, Padding::valid()),
      pool2d_geometry({0, 4, 4, 1}, {2, 2}, {2, 2}, Padding::valid()),
  };
}

}  // namespace

TEST_CASE("max pooling by hand: ties, padding, NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto g = pool2d_geometry({1, 3, 3, 1}, {2, 2}, {2, 2}, Padding::same());
  const std::vector<float> x{-1, -2, nan, -1, -5, 4, -7, -8, -9};
  std::vector<float> y(4);
  std::vector<std::int32_t> argmax(4);
  kernels::max_pool2d_forward(g, x.data(), y.data(), argmax.data());
  CHECK(y[0] == -1);      // the padding's zeros do not win
  CHECK(argmax[0] == 0);  // the first of two equals
  CHECK(std::isnan(y[1]));
  CHECK(argmax[1] == 0);
  CHECK(y[2] == -7);
  CHECK(y[3] == -9);
  std::vector<float> dx(9, 1.0f);
  const std::vector<float> dy{10, 20, 30, 40};
  kernels::max_pool2d_gradient(g, argmax.data(), dy.data(), kernels::Store::add, dx.data());
  CHECK(dx == std::vector<float>{11, 1, 21, 1, 1, 1, 31, 1, 41});
  kernels::max_pool2d_gradient(g, argmax.data(), dy.data(), kernels::Store::overwrite, dx.data());
  CHECK(dx == std::vector<float>{10, 0, 20, 0, 0, 0, 30, 0, 40});
}

TEST_CASE("average pooling by hand: padding does not count") {
  const auto g = pool2d_geometry({1, 3, 3, 1}, {2, 2}, {2, 2}, Padding::same());
  const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<float> y(4), dx(9, 1.0f);
  kernels::average_pool2d_forward(g, x.data(), y.data());
  CHECK(y == std::vector<float>{3, 4.5f, 7.5f, 9});
  const std::vector<float> dy{4, 2, 6, 5};
  kernels::average_pool2d_gradient(g, dy.data(), kernels::Store::add, dx.data());
  CHECK(dx == std::vector<float>{2, 2, 2, 2, 2, 2, 4, 4, 6});
  kernels::average_pool2d_gradient(g, dy.data(), kernels::Store::overwrite, dx.data());
  CHECK(dx == std::vector<float>{1, 1, 1, 1, 1, 1, 3, 3, 5});
}

TEST_CASE("pooling equals the reference to the bit under every instruction set and number of threads") {
  for (const Pool2DGeometry& g : geometries()) {
    const Index in = input_shape(g).size(), out = output_shape(g).size();
    auto x = small_integers(in, 1);  // many ties
    for (std::size_t i = 5; i < x.size(); i += 37) x[i] = std::numeric_limits<float>::quiet_NaN();
    const auto dy = reals(out, 2), start = reals(in, 3), real_x = reals(in, 4);
    std::vector<float> y(dy.size()), average(dy.size());
    std::vector<std::int32_t> argmax(dy.size());
    auto dx = start, average_dx = start;
    reference::max_pool2d_forward(g, x.data(), y.data(), argmax.data());
    reference::max_pool2d_gradient(g, argmax.data(), dy.data(), dx.data());
    reference::average_pool2d_forward(g, real_x.data(), average.data());
    reference::average_pool2d_gradient(g, dy.data(), average_dx.data());
    for_each_setting([&] {
      std::vector<float> got(dy.size(), 7.0f);
      std::vector<std::int32_t> winner(dy.size(), -9);
      kernels::max_pool2d_forward(g, x.data(), got.data(), winner.data());
      CHECK(same_bits(got, y));
      CHECK(same_bits(winner, argmax));
      auto got_dx = start;
      kernels::max_pool2d_gradient(g, winner.data(), dy.data(), kernels::Store::add, got_dx.data());
      CHECK(same_bits(got_dx, dx));
      kernels::average_pool2d_forward(g, real_x.data(), got.data());
      CHECK(same_bits(got, average));
      got_dx = start;
      kernels::average_pool2d_gradient(g, dy.data(), kernels::Store::add, got_dx.data());
      CHECK(same_bits(got_dx, average_dx));
      std::vector<float> overwritten(start.size(), NAN), zeros(start.size());
      kernels::average_pool2d_gradient(g, dy.data(), kernels::Store::add, zeros.data());
      kernels::average_pool2d_gradient(g, dy.data(), kernels::Store::overwrite, overwritten.data());
      CHECK(same_bits(overwritten, zeros));
    });
  }
}
