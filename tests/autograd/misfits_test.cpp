// Bad operands, for every operation: the message names the operation, what it was given and what it expected.
#include <autograd/support.hpp>

#include <limits>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

/// An operation with operands that fit it.
struct Operation {
  std::string name;  // as it stands in messages
  std::vector<Shape> operands;
  DifferentiableFunction run;
};

template <class F>
Operation unary(std::string name, F f) {
  return {std::move(name), {{2, 3}}, [f](const std::vector<Variable>& v) { return f(v[0]); }};
}
template <class F>
Operation binary(std::string name, F f) {
  return {std::move(name), {{2, 3}, {2, 3}}, [f](const std::vector<Variable>& v) { return f(v[0], v[1]); }};
}
template <class F>
Operation of_images(std::string name, F f) {
  return {std::move(name), {{2, 4, 4, 3}}, [f](const std::vector<Variable>& v) { return f(v[0]); }};
}

/// Operations that are made of others appear under the name of the first of them.
std::vector<Operation> all_operations() {
  const auto labels = Tensor::zeros({2}, DType::int32);
  return {
      binary("add", [](auto& a, auto& b) { return add(a, b); }),
      binary("sub", [](auto& a, auto& b) { return sub(a, b); }),
      binary("mul", [](auto& a, auto& b) { return mul(a, b); }),
      binary("div", [](auto& a, auto& b) { return div(a, b); }),
      binary("maximum", [](auto& a, auto& b) { return maximum(a, b); }),
      binary("concat",
             [](auto& a, auto& b) {
               return concat({a, b});
             }),
      {"mse", {{2, 3}, {2, 3}}, [](const auto& v) { return mse(v[0], v[1]); }},
      {"matmul", {{2, 3}, {3, 4}}, [](const auto& v) { return matmul(v[0], v[1]); }},
      {"conv2d", {{1, 4, 4, 2}, {3, 3, 2, 5}}, [](const auto& v) { return conv2d(v[0], v[1]); }},
      {"batch_norm", {{4, 3}, {3}, {3}}, [](const auto& v) { return batch_norm(v[0], v[1], v[2]).y; }},
      of_images("max_pool2d", [](auto& x) { return max_pool2d(x); }),
      of_images("average_pool2d", [](auto& x) { return average_pool2d(x); }),
      of_images("global_average_pool2d", [](auto& x) { return global_average_pool2d(x); }),
      unary("cross_entropy", [labels](auto& x) { return cross_entropy(x, labels); }),
      unary("negate", [](auto& x) { return negate(x); }),
      unary("relu", [](auto& x) { return relu(x); }),
      unary("relu6", [](auto& x) { return relu6(x); }),
      unary("sigmoid", [](auto& x) { return sigmoid(x); }),
      unary("softmax", [](auto& x) { return softmax(x); }),
      unary("log_softmax", [](auto& x) { return log_softmax(x); }),
      unary("clip", [](auto& x) { return clip(x, -1, 1); }),
      unary("abs", [](auto& x) { return bitgrad::abs(x); }),
      unary("exp", [](auto& x) { return bitgrad::exp(x); }),
      unary("log", [](auto& x) { return bitgrad::log(x); }),
      unary("sqrt", [](auto& x) { return bitgrad::sqrt(x); }),
      unary("dropout", [](auto& x) { return dropout(x, 0.5, 1); }),
      unary("sum", [](auto& x) { return sum(x); }),
      unary("mean", [](auto& x) { return mean(x); }),
      unary("pad",
            [](auto& x) {
              return pad(x, {{1, 1}, {0, 0}});
            }),
      unary("reshape",
            [](auto& x) {
              return reshape(x, {3, 2});
            }),
      unary("flatten", [](auto& x) { return flatten(x); }),
      unary("ste_round", [](auto& x) { return ste_round(x); }),
      unary("ste_floor", [](auto& x) { return ste_floor(x); }),
      unary("ste_ceil", [](auto& x) { return ste_ceil(x); }),
      unary("ste_clip", [](auto& x) { return ste_clip(x, -1, 1); }),
      unary("grad_scale", [](auto& x) { return grad_scale(x, 0.5); }),
      unary("round", [](auto& x) { return bitgrad::round(x); }),
  };
}

/// The operands, with number `changed` made by `make`.
template <class F>
std::vector<Variable> operands_with(const Operation& operation, std::size_t changed, F make) {
  std::vector<Variable> result;
  for (std::size_t i = 0; i < operation.operands.size(); ++i)
    result.push_back(i == changed ? make(operation.operands[i]) : Variable(Tensor::full(operation.operands[i], 1)));
  return result;
}

template <class F>
void for_each_operand(F f) {
  for (const Operation& operation : all_operations())
    for (std::size_t i = 0; i < operation.operands.size(); ++i) {
      INFO(operation.name << ", operand " << i);
      f(operation, i);
    }
}

/// Fails unless `f` throws E with a message that contains all of `parts`.
template <class E, class F>
void check_refused(const std::vector<std::string>& parts, F f) {
  const std::string text = error_of<E>(f);
  for (const std::string& part : parts) CHECK_THAT(text, Catch::Contains(part));
}

Variable zeros(const Shape& shape) { return Tensor::zeros(shape); }
Tensor labels_of(const std::vector<std::int32_t>& labels) {
  return Tensor::from({static_cast<Index>(labels.size())}, labels);
}

}  // namespace

TEST_CASE("every operation takes the operands of this file's table") {
  for (const Operation& operation : all_operations()) {
    INFO(operation.name);
    const auto ones = operands_with(operation, operation.operands.size(), [](const Shape&) { return Variable(); });
    CHECK_NOTHROW(operation.run(ones));
  }
}

TEST_CASE("every operation refuses an undefined operand by name") {
  for_each_operand([](const Operation& operation, std::size_t i) {
    const auto operands = operands_with(operation, i, [](const Shape&) { return Variable(); });
    check_refused<ShapeError>({operation.name + ": ", "undefined"}, [&] { operation.run(operands); });
  });
}

TEST_CASE("every operation refuses integers by name, and says what it takes") {
  for_each_operand([](const Operation& operation, std::size_t i) {
    const auto operands = operands_with(operation, i, [](const Shape& s) { return Tensor::zeros(s, DType::int8); });
    check_refused<ShapeError>({operation.name + ": ", "int8", "expected"}, [&] { operation.run(operands); });
  });
}

TEST_CASE("every operation of several operands refuses two dtypes by name") {
  for_each_operand([](const Operation& operation, std::size_t i) {
    if (operation.operands.size() == 1) return;
    const auto operands = operands_with(operation, i, [](const Shape& s) { return Tensor::zeros(s, DType::float64); });
    check_refused<ShapeError>({operation.name + ": ", "float32", "float64", "expected one dtype"},
                              [&] { operation.run(operands); });
  });
}

TEST_CASE("every operation refuses a variable of another tape and says what to do") {
  for_each_operand([](const Operation& operation, std::size_t i) {
    Tape outer;
    const auto operands = operands_with(operation, i, [&](const Shape& s) { return outer.watch(Tensor::full(s, 1)); });
    const Tape inner;
    check_refused<StateError>({"another tape", "detach()"}, [&] { operation.run(operands); });
  });
}

TEST_CASE("shapes that do not broadcast") {
  for (const char* name : {"add", "sub", "mul", "div", "maximum"})
    for (const Operation& operation : all_operations())
      if (operation.name == name)
        check_refused<ShapeError>(
            {std::string(name) + ": shapes (2, 3) and (4) do not broadcast", "axis -1 has 3 and 4"}, [&] {
              operation.run({zeros({2, 3}), zeros({4})});
            });
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
