#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

struct Case {
  Shape x, kernel;
  Stride stride;
  Padding padding;
  Dilation dilation = {};
  Index groups = 1;

  Conv2DArguments arguments() const { return {stride, padding, dilation, groups}; }
};

const Case cases[] = {
    {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, Padding::valid()},
    {{2, 5, 4, 3}, {3, 3, 3, 2}, {1, 1}, Padding::valid()},
    {{2, 5, 7, 2}, {3, 3, 2, 3}, {1, 1}, Padding::same()},
    {{1, 7, 6, 2}, {3, 2, 2, 2}, {2, 2}, Padding::same()},
    {{1, 8, 7, 1}, {2, 3, 1, 4}, {3, 2}, Padding::valid()},
    {{1, 2, 2, 2}, {5, 5, 2, 3}, {1, 1}, Padding::explicit_(2, 2, 2, 2)},  // a kernel larger than the image
    {{2, 3, 3, 1}, {4, 4, 1, 2}, {3, 3}, Padding::explicit_(1, 0, 0, 3)},
    {{1, 5, 5, 4}, {1, 1, 4, 3}, {2, 2}, Padding::valid()},
    {{1, 7, 8, 2}, {3, 2, 2, 3}, {1, 1}, Padding::same(), {2, 3}},
    {{2, 9, 8, 1}, {3, 3, 1, 2}, {2, 3}, Padding::explicit_(2, 1, 0, 3), {2, 2}},
    {{1, 1, 3, 1}, {3, 3, 1, 2}, {1, 1}, Padding::same(), {4, 3}},  // only the middle of the kernel meets the image
    {{2, 4, 5, 4}, {3, 3, 2, 6}, {1, 1}, Padding::same(), {}, 2},
    {{1, 5, 4, 6}, {2, 3, 2, 3}, {2, 1}, Padding::valid(), {1, 1}, 3},
    {{2, 4, 4, 3}, {3, 3, 1, 3}, {1, 1}, Padding::same(), {}, 3},
    {{1, 5, 6, 3}, {3, 3, 1, 6}, {2, 2}, Padding::same(), {2, 1}, 3},
};

/// The definition: correlation of the padded image.
Tensor convolve(const Tensor& x, const Tensor& kernel, const Conv2DGeometry& g) {
  Tensor y = Tensor::zeros({g.batch, g.out_h, g.out_w, g.out_c}, DType::float64);
  for (Index n = 0; n < g.batch; ++n)
    for (Index h = 0; h < g.out_h; ++h)
      for (Index w = 0; w < g.out_w; ++w)
        for (Index kh = 0; kh < g.k_h; ++kh)
          for (Index kw = 0; kw < g.k_w; ++kw) {
            const Index ih = h * g.stride_h + kh * g.dilation_h - g.pad_top;
            const Index iw = w * g.stride_w + kw * g.dilation_w - g.pad_left;
            if (ih < 0 || iw < 0 || ih >= g.in_h || iw >= g.in_w) continue;
            for (Index i = 0; i < g.in_c; ++i)
              for (Index o = 0; o < g.out_c; ++o) {
                const Index in = g.in_c / g.groups;  // channels of a group
                if (i / in == o / (g.out_c / g.groups))
                  y.at<double>({n, h, w, o}) += x.at<double>({n, ih, iw, i}) * kernel.at<double>({kh, kw, i % in, o});
              }
          }
  return y;
}

}  // namespace

TEST_CASE("conv2d: values and gradients") {
  for (const Case& c : cases) {
    INFO(c.x << " " << c.kernel);
    const auto f = [&](const std::vector<Variable>& v) { return conv2d(v[0], v[1], c.arguments()); };
    const std::vector<Tensor> inputs{uniform(c.x, 1), uniform(c.kernel, 2)};
    const Tensor expected =
        convolve(inputs[0], inputs[1], conv2d_geometry(c.x, c.kernel, c.stride, c.padding, c.dilation, c.groups));
    CHECK(distance(f({inputs[0], inputs[1]}).value(), expected) < 1e-14);
    check_gradient(f, inputs);
    check_float32(f, inputs, 2e-6);
  }
}

TEST_CASE("conv2d with a bias is conv2d and an addition") {
  const Conv2DArguments options{.stride = {2, 1}, .padding = Padding::same()};
  const auto f = [&](const std::vector<Variable>& v) { return conv2d(v[0], v[1], v[2], options); };
  const std::vector<Tensor> inputs{uniform({2, 5, 4, 3}, 1), uniform({3, 3, 3, 5}, 2), uniform({5}, 3)};
  CHECK(distance(f({inputs[0], inputs[1], inputs[2]}).value(),
                 (conv2d(inputs[0], inputs[1], options) + inputs[2]).value()) < 1e-14);
  check_gradient(f, inputs);
  check_float32(f, inputs, 2e-6);
  CHECK_THAT(error_of<ShapeError>([&] {
               conv2d(inputs[0], inputs[1], uniform({1, 5}, 3), options);
             }),
             Catch::Contains("conv2d: bias is (1, 5) and kernel (3, 3, 3, 5), expected (O) and (kh, kw, C, O)"));
}

TEST_CASE("depthwise_conv2d: every channel has kernels of its own") {
  const Tensor x = uniform({2, 5, 4, 3}, 1), kernel = uniform({3, 2, 3, 2}, 2);
  const Conv2DArguments options{.stride = {2, 1}, .padding = Padding::same(), .dilation = {1, 2}};
  const Tensor y = depthwise_conv2d(x, kernel, options).value();
  REQUIRE(y.shape() == Shape{2, 3, 4, 6});
  for (Index c = 0; c < 3; ++c) {
    const Tensor alone = conv2d(x.slice(3, c, c + 1), kernel.slice(2, c, c + 1), options).value();
    CHECK(distance(y.slice(3, 2 * c, 2 * c + 2), alone) < 1e-14);
  }
  const auto f = [&](const std::vector<Variable>& v) { return depthwise_conv2d(v[0], v[1], options); };
  check_gradient(f, {x, kernel});
  check_float32(f, {x, kernel}, 2e-6);
  check_float32(
      [](const std::vector<Variable>& v) { return depthwise_conv2d(v[0], v[1], {.padding = Padding::same()}); },
      {uniform({3, 9, 8, 37}, 1), uniform({3, 3, 37, 1}, 2)}, 2e-5);
  const auto zeros = [](const Shape& shape) { return Variable(Tensor::zeros(shape)); };
  CHECK_THAT(error_of<ShapeError>([&] {
               depthwise_conv2d(zeros({1, 4, 4, 3}), zeros({3, 3, 2, 1}));
             }),
             Catch::Contains("depthwise_conv2d: x is (1, 4, 4, 3) and kernel (3, 3, 2, 1)"));
  CHECK_THROWS_AS(depthwise_conv2d(zeros({1, 4, 4, 3}), zeros({3, 3, 3, 1}), {.groups = 3}), ValueError);
}

namespace {

/// The definition: every pixel throws its multiple of the kernel onto the result, of which the padding is cut off.
Tensor convolve_transposed(const Tensor& x, const Tensor& kernel, const Shape& result, const Case& c, Index top,
                           Index left) {
  Tensor y = Tensor::zeros(result, DType::float64);
  for (Index n = 0; n < x.dim(0); ++n)
    for (Index h = 0; h < x.dim(1); ++h)
      for (Index w = 0; w < x.dim(2); ++w)
        for (Index kh = 0; kh < kernel.dim(0); ++kh)
          for (Index kw = 0; kw < kernel.dim(1); ++kw) {
            const Index oh = h * c.stride.h + kh * c.dilation.h - top, ow = w * c.stride.w + kw * c.dilation.w - left;
            if (oh < 0 || ow < 0 || oh >= result[1] || ow >= result[2]) continue;
            for (Index i = 0; i < x.dim(3); ++i)
              for (Index o = 0; o < result[3]; ++o)
                y.at<double>({n, oh, ow, o}) += x.at<double>({n, h, w, i}) * kernel.at<double>({kh, kw, i, o});
          }
  return y;
}

struct TransposedCase {
  Case window;
  Shape result;
  Index top = 0, left = 0;  ///< what is cut off
};

// Extents of Keras' Conv2DTranspose: "same" is h * stride, "valid" (h - 1) * stride + max(kernel, stride).
const TransposedCase transposed_cases[] = {
    {{{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1}, Padding::valid()}, {1, 1, 1, 1}},
    {{{2, 4, 5, 3}, {3, 3, 3, 2}, {1, 1}, Padding::same()}, {2, 4, 5, 2}, 1, 1},
    {{{2, 4, 3, 3}, {3, 3, 3, 2}, {2, 2}, Padding::same()}, {2, 8, 6, 2}, 0, 0},
    {{{1, 3, 4, 2}, {4, 5, 2, 3}, {2, 2}, Padding::same()}, {1, 6, 8, 3}, 1, 1},
    {{{1, 4, 4, 2}, {3, 2, 2, 3}, {2, 3}, Padding::valid()}, {1, 9, 12, 3}},  // the last column sees no pixel
    {{{2, 3, 2, 1}, {1, 2, 1, 4}, {3, 4}, Padding::same()}, {2, 9, 8, 4}},
    {{{1, 3, 3, 2}, {3, 3, 2, 2}, {2, 2}, Padding::explicit_(1, 0, 2, 1)}, {1, 6, 4, 2}, 1, 2},
    {{{2, 3, 4, 2}, {2, 3, 2, 3}, {2, 1}, Padding::same(), {3, 2}}, {2, 6, 4, 3}, 1, 2},
    {{{1, 2, 3, 1}, {3, 3, 1, 2}, {1, 1}, Padding::valid(), {2, 1}}, {1, 6, 5, 2}},
};

}  // namespace

TEST_CASE("conv2d_transpose: values and gradients") {
  for (const TransposedCase& c : transposed_cases) {
    INFO(c.window.x << " " << c.window.kernel);
    const auto f = [&](const std::vector<Variable>& v) { return conv2d_transpose(v[0], v[1], c.window.arguments()); };
    const std::vector<Tensor> inputs{uniform(c.window.x, 1), uniform(c.window.kernel, 2)};
    const Tensor y = f({inputs[0], inputs[1]}).value();
    REQUIRE(y.shape() == c.result);
    CHECK(distance(y, convolve_transposed(inputs[0], inputs[1], c.result, c.window, c.top, c.left)) < 1e-14);
    check_gradient(f, inputs);
    check_float32(f, inputs, 2e-6);
  }
}

TEST_CASE("conv2d_transpose is a convolution of the image with zeros between its pixels, by the turned kernel") {
  for (const TransposedCase& c : transposed_cases) {
    INFO(c.window.x << " " << c.window.kernel);
    const Tensor x = uniform(c.window.x, 1), kernel = uniform(c.window.kernel, 2);
    const auto& [stride, padding, dilation, groups] = c.window.arguments();
    Tensor wide = Tensor::zeros({x.dim(0), (x.dim(1) - 1) * stride.h + 1, (x.dim(2) - 1) * stride.w + 1, x.dim(3)},
                                DType::float64);
    for (Index n = 0; n < x.dim(0); ++n)
      for (Index h = 0; h < x.dim(1); ++h)
        for (Index w = 0; w < x.dim(2); ++w)
          for (Index i = 0; i < x.dim(3); ++i)
            wide.at<double>({n, h * stride.h, w * stride.w, i}) = x.at<double>({n, h, w, i});
    Tensor turned(kernel.shape(), DType::float64);
    for (Index a = 0; a < kernel.dim(0); ++a)
      for (Index b = 0; b < kernel.dim(1); ++b)
        for (Index i = 0; i < kernel.dim(2); ++i)
          for (Index o = 0; o < kernel.dim(3); ++o)
            turned.at<double>({kernel.dim(0) - 1 - a, kernel.dim(1) - 1 - b, i, o}) = kernel.at<double>({a, b, i, o});
    const Padding around =
        padding_between_zeros(conv2d_transpose_geometry(x.shape(), kernel.shape(), stride, padding, dilation));
    const Tensor expected = conv2d(wide, turned, {.padding = around, .dilation = dilation}).value();
    CHECK(distance(conv2d_transpose(x, kernel, c.window.arguments()).value(), expected) < 1e-14);
  }
}

TEST_CASE("conv2d_transpose with a bias, and of a larger batch") {
  const Conv2DArguments options{.stride = {2, 3}, .padding = Padding::valid()};
  const auto f = [&](const std::vector<Variable>& v) { return conv2d_transpose(v[0], v[1], v[2], options); };
  const std::vector<Tensor> inputs{uniform({2, 3, 4, 3}, 1), uniform({3, 2, 3, 5}, 2), uniform({5}, 3)};
  CHECK(distance(f({inputs[0], inputs[1], inputs[2]}).value(),
                 (conv2d_transpose(inputs[0], inputs[1], options) + inputs[2]).value()) < 1e-14);
  check_gradient(f, inputs);
  check_float32(f, inputs, 2e-6);
  check_float32(f, {uniform({9, 7, 8, 20}, 1), uniform({3, 3, 20, 8}, 2), uniform({8}, 3)}, 5e-5);
}

TEST_CASE("conv2d of a larger batch in float32") {
  const auto f = [](const std::vector<Variable>& v) { return conv2d(v[0], v[1], {.padding = Padding::same()}) + v[2]; };
  check_float32(f, {uniform({9, 14, 13, 8}, 1), uniform({3, 3, 8, 20}, 2), uniform({20}, 3)},
                5e-5);  // sums of 1638 products
}

TEST_CASE("matmul and dense: values and gradients") {
  const Tensor a = Tensor::from({2, 3}, {1, 2, 3, 4, 5, 6}), b = Tensor::from({3, 2}, {1, 0, 0, 1, 2, -1});
  CHECK(identical(matmul(a, b).value(), Tensor::from({2, 2}, {7, -1, 16, -1})));
  CHECK(identical(dense(a, b, Tensor::from({2}, {10, 20})).value(), Tensor::from({2, 2}, {17, 19, 26, 19})));
  for (const auto& [m, k, n] :
       std::vector<std::array<Index, 3>>{{1, 1, 1}, {3, 4, 2}, {1, 7, 5}, {6, 1, 3}, {5, 3, 1}}) {
    const auto f = [](const std::vector<Variable>& v) { return dense(v[0], v[1], v[2]); };
    check_gradient(f, {uniform({m, k}, 1), uniform({k, n}, 2), uniform({n}, 3)});
  }
  check_gradient([](const std::vector<Variable>& v) { return matmul(v[0], v[0]); }, {uniform({3, 3}, 4)});
  check_float32([](const std::vector<Variable>& v) { return matmul(v[0], v[1]); },
                {uniform({70, 65}, 1), uniform({65, 33}, 2)}, 1e-5);
}

TEST_CASE("dilations and groups that do not fit are refused") {
  const auto zeros = [](const Shape& shape) { return Variable(Tensor::zeros(shape)); };
  CHECK_THAT(error_of<ValueError>([&] {
               conv2d(zeros({1, 4, 4, 2}), zeros({3, 3, 2, 2}), {.dilation = {1, 0}});
             }),
             Catch::Contains("dilation (1, 0)"));
  CHECK_THAT(error_of<ValueError>([&] {
               conv2d(zeros({1, 4, 4, 2}), zeros({3, 3, 2, 2}), {.groups = 0});
             }),
             Catch::Contains("0 groups"));
  CHECK_THAT(error_of<ShapeError>([&] {
               conv2d(zeros({1, 4, 4, 4}), zeros({3, 3, 2, 3}), {.groups = 2});
             }),
             Catch::Contains("4 input and 3 output channels, expected multiples of the 2 groups"));
  CHECK_THAT(error_of<ShapeError>([&] {
               conv2d(zeros({1, 4, 4, 4}), zeros({3, 3, 4, 4}), {.groups = 2});
             }),
             Catch::Contains("expects 4 in each of 2 groups"));
  CHECK_THAT(error_of<ShapeError>([&] {
               conv2d(zeros({1, 4, 4, 1}), zeros({3, 3, 1, 1}), {.dilation = {2, 1}});
             }),
             Catch::Contains("a window of height 5 does not fit an input of height 4"));
}
