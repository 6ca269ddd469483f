#include <catch2/catch.hpp>

#include <bitgrad/core/kernels/conv.hpp>
#include <bitgrad/core/kernels/im2col.hpp>
#include <bitgrad/core/shape.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

std::vector<Conv2DGeometry> geometries() {
  return {
      conv2d_geometry({1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, Padding::valid()),
      conv2d_geometry({2, 5, 6, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
      conv2d_geometry({3, 7, 5, 2}, {3, 2, 2, 5}, {2, 2}, Padding::same()),
      conv2d_geometry({2, 6, 6, 4}, {1, 1, 4, 7}, {1, 1}, Padding::valid()),
      conv2d_geometry({2, 6, 7, 4}, {1, 1, 4, 3}, {2, 3}, Padding::same()),
      conv2d_geometry({2, 4, 4, 2}, {2, 2, 2, 3}, {3, 3}, Padding::valid()),             // gaps between windows
      conv2d_geometry({1, 3, 3, 2}, {3, 3, 2, 2}, {1, 1}, Padding::explicit_(4, 5, 3, 4)),  // windows of padding only
      conv2d_geometry({2, 5, 5, 1}, {1, 1, 1, 2}, {1, 1}, Padding::explicit_(1, 0, 0, 1)),
      conv2d_geometry({5, 32, 32, 16}, {3, 3, 16, 16}, {1, 1}, Padding::same()),         // several blocks and chunks
      conv2d_geometry({9, 40, 30, 8}, {5, 5, 8, 24}, {2, 1}, Padding::same()),
      conv2d_geometry({3, 40, 40, 16}, {5, 5, 16, 1}, {1, 1}, Padding::same()),          // several blocks in a chunk
      conv2d_geometry({0, 5, 5, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
  };
}

Index x_size(const Conv2DGeometry& g) { return input_shape(g).size(); }
Index w_size(const Conv2DGeometry& g) { return kernel_shape(g).size(); }
Index y_size(const Conv2DGeometry& g) { return output_shape(g).size(); }

}  // namespace

TEST_CASE("the reference convolution, by hand") {
  // A 3x3 image under a 2x2 kernel.
  const auto g = conv2d_geometry({1, 3, 3, 1}, {2, 2, 1, 1}, {1, 1}, Padding::valid());
  const std::vector<double> x{1, 2, 3, 4, 5, 6, 7, 8, 9}, w{1, 10, 100, 1000};
  std::vector<double> y(4), dx(9, 0.5), dw(4, 0.5);
  kernels::conv2d_forward(g, x.data(), w.data(), y.data());
  CHECK(y == std::vector<double>{5421, 6532, 8754, 9865});
  const std::vector<double> dy{1, 2, 3, 4};
  kernels::conv2d_data_gradient(g, dy.data(), w.data(), dx.data());
  CHECK(dx == std::vector<double>{1.5, 12.5, 20.5, 103.5, 1234.5, 2040.5, 300.5, 3400.5, 4000.5});
  kernels::conv2d_kernel_gradient(g, x.data(), dy.data(), dw.data());
  CHECK(dw == std::vector<double>{37.5, 47.5, 67.5, 77.5});
}

TEST_CASE("convolution and its gradients equal the reference and add to what is there") {
  for (const Conv2DGeometry& g : geometries()) {
    CAPTURE(input_shape(g).size(), kernel_shape(g).size(), g.stride_h, g.pad_top);
    const auto x = small_integers(x_size(g), 1), w = small_integers(w_size(g), 2), dy = small_integers(y_size(g), 3);
    std::vector<float> y(dy.size()), y_expected(dy.size());
    auto dx = small_integers(x_size(g), 4), dw = small_integers(w_size(g), 5);
    auto dx_expected = dx, dw_expected = dw;
    reference::conv2d_forward(g, x.data(), w.data(), y_expected.data());
    reference::conv2d_data_gradient(g, dy.data(), w.data(), dx_expected.data());
    reference::conv2d_kernel_gradient(g, x.data(), dy.data(), dw_expected.data());
    kernels::conv2d_forward(g, x.data(), w.data(), y.data());
    kernels::conv2d_data_gradient(g, dy.data(), w.data(), dx.data());
    kernels::conv2d_kernel_gradient(g, x.data(), dy.data(), dw.data());
    CHECK(same_bits(y, y_expected));
    CHECK(same_bits(dx, dx_expected));
    CHECK(same_bits(dw, dw_expected));
  }
}

TEST_CASE("convolution gives the same bytes for any number of threads") {
  for (const Conv2DGeometry& g : geometries()) {
    const auto x = reals(x_size(g), 1), w = reals(w_size(g), 2), dy = reals(y_size(g), 3);
    std::vector<std::vector<float>> ys, dxs, dws;
    for (const int threads : {1, 2, 5}) {
      const ThreadsScope scope(threads);
      kernels::conv2d_forward(g, x.data(), w.data(), ys.emplace_back(dy.size()).data());
      kernels::conv2d_data_gradient(g, dy.data(), w.data(), dxs.emplace_back(x.size()).data());
      kernels::conv2d_kernel_gradient(g, x.data(), dy.data(), dws.emplace_back(w.size()).data());
    }
    for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
      CHECK(same_bits(ys[0], ys[i]));
      CHECK(same_bits(dxs[0], dxs[i]));
      CHECK(same_bits(dws[0], dws[i]));
    }
  }
}

TEST_CASE("an image's convolution does not depend on its batch") {
  for (Conv2DGeometry g : geometries()) {
    if (g.batch < 2) continue;
    const auto x = reals(x_size(g), 1), w = reals(w_size(g), 2);
    std::vector<float> all(static_cast<std::size_t>(y_size(g)));
    kernels::conv2d_forward(g, x.data(), w.data(), all.data());
    const Index images = g.batch;
    const Index in = x_size(g) / images, out = y_size(g) / images;
    g.batch = 1;
    std::vector<float> alone(static_cast<std::size_t>(out));
    for (Index image = 0; image < images; ++image) {
      kernels::conv2d_forward(g, x.data() + image * in, w.data(), alone.data());
      CHECK(same_bits(alone, {all.begin() + image * out, all.begin() + (image + 1) * out}));
    }
  }
}

TEST_CASE("im2col writes the zeros of the padding over whatever was there") {
  const auto g = conv2d_geometry({1, 2, 2, 1}, {3, 3, 1, 1}, {1, 1}, Padding::same());
  const std::vector<float> x{1, 2, 3, 4};
  std::vector<float> matrix(18, -7.0f);
  kernels::im2col(g, x.data(), 1, 2, matrix.data());
  CHECK(matrix == std::vector<float>{0, 1, 2, 0, 3, 4, 0, 0, 0, 1, 2, 0, 3, 4, 0, 0, 0, 0});
}

TEST_CASE("a row of dense_forward does not depend on the other rows, the threads or the instruction set") {
  for (const Index out : {1, 7, 10, 32, 75}) {
    const Index rows = 23, in = 61;
    const auto x = reals(rows * in, 1), w = reals(in * out, 2);
    std::vector<float> expected(static_cast<std::size_t>(rows * out));
    for (Index r = 0; r < rows; ++r)
      for (Index i = 0; i < in; ++i)
        for (Index o = 0; o < out; ++o)
          expected[static_cast<std::size_t>(r * out + o)] +=
              x[static_cast<std::size_t>(r * in + i)] * w[static_cast<std::size_t>(i * out + o)];
    for_each_setting([&] {
      for (const Index take : {Index{1}, Index{2}, Index{5}, rows}) {
        std::vector<float> y(static_cast<std::size_t>(take * out), 9.0f);
        kernels::dense_forward(take, in, out, x.data(), w.data(), y.data());
        CHECK(same_bits(y, {expected.begin(), expected.begin() + take * out}));
      }
    });
  }
}
