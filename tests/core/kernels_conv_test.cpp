#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/core/kernels/conv.hpp>
#include <bitgrad/core/kernels/dense.hpp>
#include <bitgrad/core/kernels/im2col.hpp>
#include <bitgrad/core/shape.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

std::vector<Conv2DGeometry> geometries() {
  std::vector<Conv2DGeometry> all = {
      conv2d_geometry({1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, Padding::valid()),
      conv2d_geometry({2, 5, 6, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
      conv2d_geometry({3, 7, 5, 2}, {3, 2, 2, 5}, {2, 2}, Padding::same()),
      conv2d_geometry({2, 6, 6, 4}, {1, 1, 4, 7}, {1, 1}, Padding::valid()),
      conv2d_geometry({2, 6, 7, 4}, {1, 1, 4, 3}, {2, 3}, Padding::same()),
      conv2d_geometry({2, 4, 4, 2}, {2, 2, 2, 3}, {3, 3}, Padding::valid()),  // gaps between windows
      conv2d_geometry({2, 9, 8, 2}, {1, 2, 2, 3}, {4, 5}, Padding::explicit_(2, 3, 4, 1)),
      conv2d_geometry({1, 3, 3, 2}, {3, 3, 2, 2}, {1, 1}, Padding::explicit_(4, 5, 3, 4)),  // windows of padding only
      conv2d_geometry({1, 1, 1, 1}, {1, 1, 1, 1}, {2, 2}, Padding::explicit_(1, 1, 1, 1)),  // outputs of padding only
      conv2d_geometry({2, 5, 5, 1}, {1, 1, 1, 2}, {1, 1}, Padding::explicit_(1, 0, 0, 1)),
      conv2d_geometry({2, 2, 3, 4}, {5, 7, 4, 6}, {1, 1}, Padding::same()),    // a kernel larger than the image
      conv2d_geometry({3, 1, 1, 20}, {3, 3, 20, 9}, {1, 1}, Padding::same()),  // one pixel
      conv2d_geometry({2, 2, 1, 3}, {6, 4, 3, 18}, {3, 2}, Padding::explicit_(4, 1, 0, 5)),
      conv2d_geometry({1, 1, 37, 5}, {1, 5, 5, 3}, {1, 2}, Padding::explicit_(0, 0, 1, 3)),  // one row
      conv2d_geometry({2, 29, 1, 5}, {4, 1, 5, 3}, {3, 1}, Padding::valid()),                // one column
      conv2d_geometry({5, 32, 32, 16}, {3, 3, 16, 16}, {1, 1}, Padding::same()),             // several bands and chunks
      conv2d_geometry({9, 40, 30, 8}, {5, 5, 8, 24}, {2, 1}, Padding::same()),
      conv2d_geometry({3, 40, 40, 16}, {5, 5, 16, 1}, {1, 1}, Padding::same()),
      conv2d_geometry({40, 4, 4, 40}, {3, 3, 40, 70}, {1, 1}, Padding::same()),  // several images at once
      conv2d_geometry({2, 5, 1100, 8}, {3, 3, 8, 2}, {1, 1}, Padding::same()),   // a row that fills no band
      conv2d_geometry({0, 5, 5, 3}, {3, 3, 3, 4}, {1, 1}, Padding::same()),
  };
  const auto grouped = [&](Shape input, Shape kernel, Index groups, Stride stride = {}, Dilation dilation = {}) {
    all.push_back(conv2d_geometry(input, kernel, stride, Padding::same(), dilation, groups));
  };
  grouped({2, 9, 8, 3}, {3, 3, 3, 5}, 1, {1, 1}, {2, 3});
  grouped({2, 9, 8, 3}, {3, 2, 3, 20}, 1, {2, 3}, {3, 2});
  grouped({2, 5, 6, 6}, {3, 3, 3, 4}, 2);
  grouped({2, 5, 6, 36}, {3, 3, 18, 40}, 2, {2, 1}, {1, 2});
  grouped({2, 5, 6, 5}, {3, 3, 1, 10}, 5);
  for (const Index channels : {2, 3, 7, 8, 9, 16, 17, 24, 33}) {  // depthwise
    grouped({2, 9, 8, channels}, {3, 3, 1, channels}, channels);
    grouped({3, 7, 8, channels}, {5, 3, 1, channels}, channels, {2, 2}, {1, 2});
  }
  grouped({17, 20, 20, 16}, {3, 3, 1, 16}, 16);
  // Output and input channels around the lengths of vectors and tiles.
  for (const Index channels : {1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 25, 31, 32, 33, 48})
    all.push_back(
        conv2d_geometry({2, 5, 6, 1 + channels % 7}, {3, 3, 1 + channels % 7, channels}, {1, 1}, Padding::same()));
  for (const Index channels : {1, 3, 6, 13, 16, 33})
    all.push_back(conv2d_geometry({2, 7, 7, channels}, {3, 3, channels, 6}, {2, 2}, Padding::same()));
  // Widths around the lengths of tiles.
  for (Index width = 1; width <= 14; ++width) {
    all.push_back(conv2d_geometry({1, 2, width, 2}, {3, 3, 2, 40}, {1, 1}, Padding::same()));
    all.push_back(conv2d_geometry({1, 2, width, 2}, {1, 1, 2, 3}, {1, 1}, Padding::same()));
  }
  return all;
}

Index x_size(const Conv2DGeometry& g) { return input_shape(g).size(); }
Index w_size(const Conv2DGeometry& g) { return kernel_shape(g).size(); }
Index y_size(const Conv2DGeometry& g) { return output_shape(g).size(); }

/// Results of the three passes, the gradients added to something.
template <class T>
struct Passes {
  Passes(const Conv2DGeometry& g, const std::vector<T>& x, const std::vector<T>& w, const std::vector<T>& dy)
      : y(dy.size(), T{7}), dx(small_integers<T>(x_size(g), 4)), dw(small_integers<T>(w_size(g), 5)) {
    kernels::conv2d_forward(g, x.data(), w.data(), nullptr, y.data());
    kernels::conv2d_data_gradient(g, dy.data(), w.data(), kernels::Store::add, dx.data());
    kernels::conv2d_kernel_gradient(g, x.data(), dy.data(), dw.data());
  }
  std::vector<T> y, dx, dw;
};

std::vector<double> magnitudes(const std::vector<float>& values) {
  std::vector<double> result;
  for (const float value : values) result.push_back(std::abs(static_cast<double>(value)));
  return result;
}

/// Largest |found - exact| in units of an ulp times the sum of the magnitudes that were added.
double worst_error(const std::vector<float>& found, const std::vector<double>& exact,
                   const std::vector<double>& magnitude) {
  double worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(static_cast<double>(found[i]) - exact[i]) / (std::ldexp(1.0, -24) * magnitude[i]);
    if (found[i] != exact[i] && !(error <= worst)) worst = error;
  }
  return worst;
}

}  // namespace

TEST_CASE("the reference convolution, by hand") {
  // A 3x3 image under a 2x2 kernel.
  const auto g = conv2d_geometry({1, 3, 3, 1}, {2, 2, 1, 1}, {1, 1}, Padding::valid());
  const std::vector<double> x{1, 2, 3, 4, 5, 6, 7, 8, 9}, w{1, 10, 100, 1000};
  std::vector<double> y(4), dx(9, 0.5), dw(4, 0.5);
  kernels::conv2d_forward(g, x.data(), w.data(), nullptr, y.data());
  CHECK(y == std::vector<double>{5421, 6532, 8754, 9865});
  const double bias = 0.5;
  kernels::conv2d_forward(g, x.data(), w.data(), &bias, y.data());
  CHECK(y == std::vector<double>{5421.5, 6532.5, 8754.5, 9865.5});
  const std::vector<double> dy{1, 2, 3, 4};
  kernels::conv2d_data_gradient(g, dy.data(), w.data(), kernels::Store::add, dx.data());
  CHECK(dx == std::vector<double>{1.5, 12.5, 20.5, 103.5, 1234.5, 2040.5, 300.5, 3400.5, 4000.5});
  kernels::conv2d_kernel_gradient(g, x.data(), dy.data(), dw.data());
  CHECK(dw == std::vector<double>{37.5, 47.5, 67.5, 77.5});
}

TEST_CASE("convolution and its gradients equal the reference and add to what is there") {
  for (const Conv2DGeometry& g : geometries()) {
    CAPTURE(input_shape(g), kernel_shape(g), g.stride_h, g.pad_top);
    const auto x = small_integers(x_size(g), 1), w = small_integers(w_size(g), 2), dy = small_integers(y_size(g), 3);
    std::vector<float> y(dy.size());
    auto dx = small_integers(x_size(g), 4), dw = small_integers(w_size(g), 5);
    reference::conv2d_forward(g, x.data(), w.data(), y.data());
    reference::conv2d_data_gradient(g, dy.data(), w.data(), dx.data());
    reference::conv2d_kernel_gradient(g, x.data(), dy.data(), dw.data());
    for_each_isa([&] {
      const Passes<float> found(g, x, w, dy);
      CHECK(same_bits(found.y, y));
      CHECK(same_bits(found.dx, dx));
      CHECK(same_bits(found.dw, dw));
    });
  }
}

TEST_CASE("sums start from a bias, and gradients can overwrite") {
  for (const Conv2DGeometry& g : geometries()) {
    CAPTURE(input_shape(g), kernel_shape(g), g.stride_h, g.pad_top, g.groups);
    const auto x = small_integers(x_size(g), 1), w = small_integers(w_size(g), 2), dy = small_integers(y_size(g), 3);
    const auto bias = small_integers(g.out_c, 6);
    std::vector<float> y(dy.size()), dx(x.size());
    reference::conv2d_forward(g, x.data(), w.data(), y.data());
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += bias[i % bias.size()];
    reference::conv2d_data_gradient(g, dy.data(), w.data(), dx.data());
    for_each_isa([&] {
      std::vector<float> found(y.size(), NAN), found_dx(dx.size(), NAN);
      kernels::conv2d_forward(g, x.data(), w.data(), bias.data(), found.data());
      CHECK(same_bits(found, y));
      kernels::conv2d_data_gradient(g, dy.data(), w.data(), kernels::Store::overwrite, found_dx.data());
      CHECK(found_dx == dx);
    });
  }
}

TEST_CASE("convolution of real numbers is as exact as its sums are long") {
  for (const Conv2DGeometry& g : geometries()) {
    CAPTURE(input_shape(g), kernel_shape(g), g.stride_h, g.pad_top);
    const auto x = reals(x_size(g), 1), w = reals(w_size(g), 2), dy = reals(y_size(g), 3);
    const auto wide = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
    const Passes<double> exact(g, wide(x), wide(w), wide(dy));
    const Passes<double> magnitude(g, magnitudes(x), magnitudes(w), magnitudes(dy));
    // n additions of rounded products err by at most (n + 1) half ulps of the sum of magnitudes; one more for the final
    // sum.
    const double terms = static_cast<double>(g.k_h * g.k_w * g.in_c / g.groups),
                 gradient_terms = static_cast<double>(g.k_h * g.k_w * g.out_c);
    const double pixels = static_cast<double>(g.batch * g.out_h * g.out_w);
    for_each_isa([&] {
      const Passes<float> found(g, x, w, dy);
      CHECK(worst_error(found.y, exact.y, magnitude.y) <= terms + 2);
      // What the gradients were added to may cancel: it counts with its magnitude, 4 at most.
      const auto plus = [](std::vector<double> v) {
        for (double& m : v) m += 8;
        return v;
      };
      CHECK(worst_error(found.dx, exact.dx, plus(magnitude.dx)) <= gradient_terms + 3);
      CHECK(worst_error(found.dw, exact.dw, plus(magnitude.dw)) <= pixels + 20);
    });
  }
}

TEST_CASE("convolution gives the same bytes for any number of threads") {
  for (const Conv2DGeometry& g : geometries()) {
    CAPTURE(input_shape(g), kernel_shape(g), g.stride_h, g.pad_top);
    const auto x = reals(x_size(g), 1), w = reals(w_size(g), 2), dy = reals(y_size(g), 3);
    for_each_isa([&] {
      const auto run = [&](int threads) {
        const ThreadsScope scope(threads);
        return Passes<float>(g, x, w, dy);
      };
      const Passes<float> first = run(1);
      for (const int threads : {2, 3, 7}) {
        const Passes<float> found = run(threads);
        CHECK(same_bits(found.y, first.y));
        CHECK(same_bits(found.dx, first.dx));
        CHECK(same_bits(found.dw, first.dw));
      }
    });
  }
}

TEST_CASE("an image's convolution does not depend on its batch") {
  for (Conv2DGeometry g : geometries()) {
    if (g.batch < 2) continue;
    const auto x = reals(x_size(g), 1), w = reals(w_size(g), 2);
    std::vector<float> all(static_cast<std::size_t>(y_size(g)));
    kernels::conv2d_forward(g, x.data(), w.data(), nullptr, all.data());
    const Index images = g.batch;
    const Index in = x_size(g) / images, out = y_size(g) / images;
    g.batch = 1;
    std::vector<float> alone(static_cast<std::size_t>(out));
    for (Index image = 0; image < images; ++image) {
      kernels::conv2d_forward(g, x.data() + image * in, w.data(), nullptr, alone.data());
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
