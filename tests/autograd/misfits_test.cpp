// Shapes and numbers that do not fit: the message names the operation, what it was given and what it expected.
#include <autograd/refused.hpp>

#include <limits>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

Variable zeros(const Shape& shape) { return Tensor::zeros(shape); }
Tensor labels_of(const std::vector<std::int32_t>& labels) {
  return Tensor::from({static_cast<Index>(labels.size())}, labels);
}

}  // namespace

TEST_CASE("shapes that do not broadcast") {
  const auto check = [](const std::string& name, auto operation) {
    check_refused<ShapeError>({name + ": shapes (2, 3) and (4) do not broadcast", "axis -1 has 3 and 4"}, [&] {
      operation(zeros({2, 3}), zeros({4}));
    });
  };
  check("add", [](const Variable& a, const Variable& b) { add(a, b); });
  check("sub", [](const Variable& a, const Variable& b) { sub(a, b); });
  check("mul", [](const Variable& a, const Variable& b) { mul(a, b); });
  check("div", [](const Variable& a, const Variable& b) { div(a, b); });
  check("maximum", [](const Variable& a, const Variable& b) { maximum(a, b); });
}

TEST_CASE("logits and predictions against targets of another shape") {
  const Variable logits = zeros({4, 3});
  check_refused<ShapeError>(
      {"cross_entropy: logits are float32 (4, 3) and labels int32 (4, 1)", "expected (N, K) and int32 (N)"}, [&] {
        cross_entropy(logits, Tensor::zeros({4, 1}, DType::int32));
      });
  check_refused<ShapeError>({"labels int32 (3)", "expected (N, K) and int32 (N)"}, [&] {
    cross_entropy(logits, labels_of({0, 1, 2}));
  });
  check_refused<ShapeError>({"labels float32 (4)"}, [&] { cross_entropy(logits, Tensor::zeros({4})); });
  check_refused<ShapeError>({"logits are float32 (4)"}, [&] { cross_entropy(zeros({4}), labels_of({0, 1, 2, 0})); });
  check_refused<ShapeError>({"the batch is empty", "(0, 3)"}, [&] { cross_entropy(zeros({0, 3}), labels_of({})); });
  check_refused<ValueError>({"cross_entropy: label 2 is 3, expected 0 to 2"}, [&] {
    cross_entropy(logits, labels_of({0, 1, 3, 0}));
  });
  check_refused<ValueError>({"cross_entropy: label_smoothing is 1, expected 0 <= label_smoothing < 1"}, [&] {
    cross_entropy(logits, labels_of({0, 0, 0, 0}), 1);
  });
  const auto soft = [](const Shape& shape, const Tensor& targets, double smoothing = 0) {
    return [=] { soft_cross_entropy(zeros(shape), targets, smoothing); };
  };
  const Tensor halves = Tensor::full({2, 2}, 0.5);
  check_refused<ShapeError>({"soft_cross_entropy: logits are (2, 3) and targets (2, 2), expected the same (N, K)"},
                            soft({2, 3}, halves));
  check_refused<ShapeError>({"soft_cross_entropy: ", "at least one row"}, soft({0, 2}, Tensor::zeros({0, 2})));
  check_refused<ShapeError>({"soft_cross_entropy: ", "int32"}, soft({2, 2}, Tensor::zeros({2, 2}, DType::int32)));
  check_refused<ValueError>({"soft_cross_entropy: label_smoothing is -1"}, soft({2, 2}, halves, -1));
  check_refused<ValueError>(
      {"soft_cross_entropy: the shares of row 1 add up to 0.75, expected shares from 0 that add up"},
      soft({2, 2}, Tensor::from({2, 2}, {1, 0, 0.5f, 0.25f})));
  check_refused<ValueError>({"the shares of row 0 add up to 1, some of them negative"},
                            soft({2, 2}, Tensor::from({2, 2}, {1.5f, -0.5f, 1, 0})));
  check_refused<ValueError>({"the shares of row 0 add up to nan"},
                            soft({1, 2}, Tensor::from({1, 2}, {std::nanf(""), 1})));
  // (4, 3) - (3) and (4, 1) - (4) would broadcast without a word.
  check_refused<ShapeError>({"mse: prediction is (4, 3) and target (3), expected equal shapes"},
                            [&] { mse(logits, zeros({3})); });
  check_refused<ShapeError>({"mse: prediction is (4, 1) and target (4)"}, [&] { mse(zeros({4, 1}), zeros({4})); });
  check_refused<ShapeError>({"mean: no elements", "(0)"}, [&] { mse(zeros({0}), zeros({0})); });
}

TEST_CASE("products and convolutions that do not fit") {
  check_refused<ShapeError>({"matmul: shapes are (2, 3) and (2, 3), expected (m, k) and (k, n)"}, [] {
    matmul(zeros({2, 3}), zeros({2, 3}));
  });
  check_refused<ShapeError>({"matmul: shapes are (3) and (3, 2)"}, [] { matmul(zeros({3}), zeros({3, 2})); });
  check_refused<ShapeError>({"dense: bias is (1, 4), expected (4)", "kernel (3, 4)"}, [] {
    dense(zeros({2, 3}), zeros({3, 4}), zeros({1, 4}));
  });
  check_refused<ShapeError>({"conv2d: input (1, 4, 4, 2) has 2 channels, kernel (3, 3, 3, 2) expects 3"}, [] {
    conv2d(zeros({1, 4, 4, 2}), zeros({3, 3, 3, 2}));
  });
  check_refused<ShapeError>({"conv2d: input (4, 4, 2) has rank 3, expected 4 (batch, height, width, channels)"}, [] {
    conv2d(zeros({4, 4, 2}), zeros({3, 3, 2, 2}));
  });
  check_refused<ShapeError>({"conv2d: kernel (3, 2, 2) has rank 3, expected 4"}, [] {
    conv2d(zeros({1, 4, 4, 2}), zeros({3, 2, 2}));
  });
  check_refused<ShapeError>({"conv2d: a window of height 3 does not fit an input of height 2"}, [] {
    conv2d(zeros({1, 2, 4, 2}), zeros({3, 3, 2, 2}));
  });
  check_refused<ShapeError>({"conv2d: input (1, 0, 4, 2)", "expected at least 1"}, [] {
    conv2d(zeros({1, 0, 4, 2}), zeros({1, 1, 2, 2}));
  });
  check_refused<ShapeError>({"conv2d: kernel (1, 1, 2, 0)", "expected at least 1"}, [] {
    conv2d(zeros({1, 4, 4, 2}), zeros({1, 1, 2, 0}));
  });
  check_refused<ValueError>({"conv2d: stride 0 along the height, expected at least 1"}, [] {
    conv2d(zeros({1, 4, 4, 2}), zeros({3, 3, 2, 2}), {.stride = {0, 1}});
  });
  check_refused<ValueError>({"padding (0, -1, 0, 0)", "expected 0 or more"}, [] { Padding::explicit_(0, -1, 0, 0); });
}

TEST_CASE("transposed convolutions that do not fit") {
  const auto run = [](const Shape& x, const Shape& kernel, const Conv2DArguments& options = {}) {
    return [=] { conv2d_transpose(zeros(x), zeros(kernel), options); };
  };
  const Shape image{1, 4, 4, 2}, kernel{3, 3, 2, 5};
  check_refused<ShapeError>({"conv2d_transpose: input (1, 4, 4, 2) and kernel (3, 3, 5, 2)",
                             "expected (batch, height, width, C) and (height, width, C, output channels)"},
                            run(image, {3, 3, 5, 2}));
  check_refused<ShapeError>({"conv2d_transpose: input (4, 4, 2) has rank 3"}, run({4, 4, 2}, kernel));
  check_refused<ShapeError>({"conv2d_transpose: input (1, 0, 4, 2)", "at least 1 pixel"}, run({1, 0, 4, 2}, kernel));
  check_refused<ValueError>({"conv2d_transpose: stride 0 along the width, expected at least 1"},
                            run(image, kernel, {.stride = {1, 0}}));
  check_refused<ValueError>({"conv2d_transpose: dilation (0, 1)"}, run(image, kernel, {.dilation = {0, 1}}));
  check_refused<ValueError>({"conv2d_transpose: groups is 2, expected 1"}, run(image, kernel, {.groups = 2}));
  check_refused<ValueError>({"conv2d_transpose: padding 3 and 0 along the height", "less than the window of 3"},
                            run(image, kernel, {.padding = Padding::explicit_(3, 0, 0, 0)}));
  check_refused<ShapeError>({"conv2d_transpose: padding 2 and 2 along the width leaves nothing of 3 pixels"},
                            run({1, 4, 1, 2}, kernel, {.padding = Padding::explicit_(0, 0, 2, 2)}));
  check_refused<ShapeError>({"conv2d_transpose: bias is (2) and kernel (3, 3, 2, 5), expected (O) and (kh, kw, C, O)"},
                            [&] { conv2d_transpose(zeros(image), zeros(kernel), zeros({2}), {}); });
}

TEST_CASE("poolings that do not fit") {
  using Pool = Variable (*)(const Variable&, const Pool2DArguments&);
  for (const auto& [name, pool] :
       std::vector<std::pair<std::string, Pool>>{{"max_pool2d", max_pool2d}, {"average_pool2d", average_pool2d}}) {
    const auto run = [pool = pool](const Shape& shape, const Pool2DArguments& options) {
      return [=] { pool(zeros(shape), options); };
    };
    check_refused<ShapeError>({name + ": input (2, 2) has rank 2, expected 4 (batch, height, width, channels)"},
                              run({2, 2}, {}));
    check_refused<ShapeError>({name + ": a window of width 3 does not fit an input of width 2"},
                              run({1, 4, 2, 1}, {.window = {1, 3}}));
    check_refused<ValueError>({name + ": stride 0 along the height, expected at least 1"},
                              run({1, 2, 2, 1}, {.stride = Stride{0, 1}}));
    check_refused<ValueError>({name + ": window (0, 2), expected at least (1, 1)"},
                              run({1, 2, 2, 1}, {.window = {0, 2}}));
    check_refused<ValueError>({name + ": padding 1 along the height must be smaller than the window of 1"},
                              run({1, 2, 2, 1}, {.window = {1, 1}, .padding = Padding::explicit_(1, 0, 0, 0)}));
  }
  check_refused<ShapeError>({"global_average_pool2d: input is (2, 2), expected (N, H, W, C)"}, [] {
    global_average_pool2d(zeros({2, 2}));
  });
  check_refused<ShapeError>({"global_average_pool2d: ", "(1, 0, 2, 1)"}, [] {
    global_average_pool2d(zeros({1, 0, 2, 1}));
  });
}

TEST_CASE("batch normalisations that do not fit") {
  const Variable x = zeros({4, 3}), c = zeros({3});
  check_refused<ShapeError>({"batch_norm: x is (4, 3), gamma (4), beta (3), expected (..., C), (C), (C)"},
                            [&] { batch_norm(x, zeros({4}), c); });
  check_refused<ShapeError>({"batch_norm: ", "beta (1, 3)"}, [&] { batch_norm(x, c, zeros({1, 3})); });
  check_refused<ShapeError>({"batch_norm: x is (3)"}, [&] { batch_norm(c, c, c); });
  for (const Shape& shape : {Shape{1, 3}, Shape{0, 3}})
    check_refused<ShapeError>({"batch_norm: x is " + to_string(shape) + ", expected at least two values per channel"},
                              [&] { batch_norm(zeros(shape), c, c); });
  check_refused<ValueError>({"batch_norm: epsilon is 0, expected a positive number"}, [&] { batch_norm(x, c, c, 0); });
}

TEST_CASE("layer normalisations that do not fit") {
  const Variable x = zeros({4, 3}), c = zeros({3});
  check_refused<ShapeError>(
      {"layer_norm: x is (4, 3), gamma (4), beta (3), expected (..., C), (C), (C) with C at least 1"},
      [&] { layer_norm(x, zeros({4}), c); });
  check_refused<ShapeError>({"layer_norm: ", "beta (1, 3)"}, [&] { layer_norm(x, c, zeros({1, 3})); });
  check_refused<ShapeError>({"layer_norm: x is (2, 0)"}, [&] { layer_norm(zeros({2, 0}), zeros({0}), zeros({0})); });
  check_refused<ValueError>({"layer_norm: epsilon is 0, expected a positive number"}, [&] { layer_norm(x, c, c, 0); });
}

TEST_CASE("shapes that cannot be moved or summed") {
  const Variable x = zeros({2, 3});
  check_refused<ShapeError>({"reshape: (2, 3) has 6 elements, (5, 5) has 25"}, [&] { reshape(x, {5, 5}); });
  check_refused<ShapeError>({"flatten: the input is a scalar, expected (N, ...)"}, [] { flatten(Tensor::scalar(1)); });
  check_refused<ShapeError>({"concat: no operands, expected at least one"}, [] { concat({}); });
  check_refused<ShapeError>({"concat: axis 2 is out of range for rank 2, expected -2 to 1"}, [&] {
    concat({x, x}, 2);
  });
  check_refused<ShapeError>({"concat: shapes are (2, 3) and (2, 2), expected to differ along axis 0 only"}, [&] {
    concat({x, zeros({2, 2})}, 0);
  });
  check_refused<ShapeError>({"concat: shapes are (2, 3) and (2)"}, [&] { concat({x, zeros({2})}); });
  check_refused<ShapeError>({"pad: 1 amounts for shape (2, 3), expected one per axis"}, [&] { pad(x, {{1, 1}}); });
  check_refused<ValueError>({"pad: amounts -1 and 1, expected 0 or more"}, [&] { pad(x, {{-1, 1}, {}}); });
  check_refused<ShapeError>({"sum: axis 2 is out of range for rank 2, expected -2 to 1"},
                            [&] { sum(x, {.axes = {2}}); });
  check_refused<ShapeError>({"mean: axis -3 is out of range for rank 2"}, [&] { mean(x, {.axes = {-3}}); });
  check_refused<ShapeError>({"sum: axis -2 of shape (2, 3) is named twice"}, [&] { sum(x, {.axes = {0, -2}}); });
  check_refused<ShapeError>({"mean: no elements along the axes of shape (0, 2)"}, [] { mean(zeros({0, 2})); });
  check_refused<ShapeError>({"softmax: input is (), expected a last axis of 1 or more"},
                            [] { softmax(Tensor::scalar(1)); });
  check_refused<ShapeError>({"log_softmax: input is (3, 0)"}, [] { log_softmax(zeros({3, 0})); });
}

TEST_CASE("numbers that no operation takes") {
  const Variable x = zeros({2});
  constexpr double nothing = std::numeric_limits<double>::quiet_NaN(),
                   infinity = std::numeric_limits<double>::infinity();
  check_refused<ValueError>({"clip: the range is [1, 0], expected lo <= hi"}, [&] { clip(x, 1, 0); });
  check_refused<ValueError>({"clip: the range is [nan, 0]"}, [&] { clip(x, nothing, 0); });
  check_refused<ValueError>({"ste_clip: the range is [1, 0], expected lo <= hi"}, [&] { ste_clip(x, 1, 0); });
  check_refused<ValueError>({"ste_clip: the range is [0, nan]"}, [&] { ste_clip(x, 0, nothing); });
  check_refused<ValueError>({"grad_scale: the factor is inf, expected a finite number"},
                            [&] { grad_scale(x, infinity); });
  for (const double rate : {-0.5, 1.0, nothing})
    check_refused<ValueError>({message("dropout: rate is ", rate, ", expected 0 <= rate < 1")},
                              [&] { dropout(x, rate, 1); });
}

TEST_CASE("a loss that was computed before there was a tape") {
  const ParameterPtr w = std::make_shared<Parameter>("w", Tensor::full({2}, 1));
  const Variable loss = sum(variable_of(w) * 2.0);
  Tape tape;
  check_refused<StateError>(
      {"Tape::backward: the output is not recorded on a tape", "create a Tape before the forward pass"},
      [&] { tape.backward(loss); });
  CHECK_FALSE(w->has_gradient());
}
