#include <autograd/support.hpp>

#include <limits>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

using Unary = Variable (*)(const Variable&);
const Shape shapes[] = {{}, {1}, {3, 5}, {2, 3, 1, 4}, {1, 7}, {0, 3}};
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

void check_unary(const std::function<Variable(const Variable&)>& f, double lo, double hi, double bound = 1e-6) {
  const auto function = [&](const std::vector<Variable>& v) { return f(v[0]); };
  for (const Shape& shape : shapes) check_gradient(function, {uniform(shape, 3, lo, hi)});
  check_float32(function, {uniform({40000}, 4, lo, hi)}, bound);
  check_float32(function, {uniform({33, 3}, 5, lo, hi)}, bound);
}

Tensor gradient_of(const std::function<Variable(const Variable&)>& f, const Tensor& x) {
  Tape tape;
  const Variable leaf = tape.watch(x);
  const Variable y = f(leaf);
  tape.backward(y, Tensor::full(y.shape(), 1, y.dtype()));
  return tape.gradient(leaf);
}

}  // namespace

TEST_CASE("values of elementwise functions") {
  const Tensor x = Tensor::from({7}, {-infinity, -2, -0.0f, 0, 3, 6, 7});
  CHECK(identical(relu(x).value(), Tensor::from({7}, {0, 0, 0, 0, 3, 6, 7})));
  CHECK(identical(relu6(x).value(), Tensor::from({7}, {0, 0, -0.0f, 0, 3, 6, 6})));
  CHECK(identical(bitgrad::abs(x).value(), Tensor::from({7}, {infinity, 2, 0, 0, 3, 6, 7})));
  CHECK(identical(clip(x, -1, 3.5).value(), Tensor::from({7}, {-1, -1, -0.0f, 0, 3, 3.5f, 3.5f})));
  CHECK(identical(maximum(x, Tensor::scalar(2.5)).value(), Tensor::from({7}, {2.5f, 2.5f, 2.5f, 2.5f, 3, 6, 7})));
  CHECK(identical(bitgrad::sqrt(Tensor::from({2}, {4, 2.25f})).value(), Tensor::from({2}, {2, 1.5f})));
  CHECK(identical(sigmoid(Tensor::from({3}, {-infinity, 0, infinity})).value(), Tensor::from({3}, {0, 0.5f, 1})));
  CHECK(distance(bitgrad::exp(Tensor::from({2}, {0, 1})).value(), Tensor::from({2}, {1, 2.718281828f})) < 1e-6);
  CHECK(distance(bitgrad::log(Tensor::from({2}, {1, 10})).value(), Tensor::from({2}, {0, 2.302585093f})) < 1e-6);
}

TEST_CASE("gradients of smooth and hard activations") {
  check_unary(bitgrad::tanh, -3, 3, 1e-6);
  check_unary(gelu, -4, 4, 5e-6);
  check_unary(hard_sigmoid, -5, 5);
  check_unary(hard_swish, -5, 5, 2e-6);
  check_unary([](const Variable& x) { return leaky_relu(x, 0.3); }, -2, 2);
  const Tensor x = Tensor::from({5}, {-4, -3, 0, 3, 4});
  CHECK(identical(gradient_of(hard_swish, x), Tensor::from({5}, {0, 0, 0.5f, 1, 1})));
  CHECK(identical(gradient_of(hard_sigmoid, x), Tensor::from({5}, {0, 0, 1 / 6.0f, 0, 0})));
  CHECK(identical(gradient_of([](const Variable& v) { return leaky_relu(v, 0.25); }, x),
                  Tensor::from({5}, {0.25f, 0.25f, 0.25f, 1, 1})));
  CHECK(identical(hard_swish(x).value(), Tensor::from({5}, {0, 0, 0, 3, 4})));
  CHECK_THAT(error_of<ValueError>([&] { leaky_relu(x, infinity); }), Catch::Contains("leaky_relu: the slope is inf"));
}

TEST_CASE("powers by hand and their gradients") {
  const Tensor x = Tensor::from({3}, {-2, 0, 4});
  CHECK(identical(bitgrad::pow(x, 2).value(), Tensor::from({3}, {4, 0, 16})));
  CHECK(
      identical(gradient_of([](const Variable& v) { return bitgrad::pow(v, 3); }, x), Tensor::from({3}, {12, 0, 48})));
  CHECK(identical(gradient_of([](const Variable& v) { return bitgrad::pow(v, 0); }, x), Tensor::zeros({3})));
  CHECK(std::isnan(bitgrad::pow(x, 0.5).value().span<float>()[0]));
  check_unary([](const Variable& v) { return bitgrad::pow(v, 1.7); }, 0.2, 3, 1e-5);
  for (const double exponent : {-2.0, -1.7, -0.5, 0.5, 1.0, 1.5, 2.0, 7.0})
    check_unary([=](const Variable& v) { return bitgrad::pow(v, exponent); }, 0.5, 3, 1e-4);
  check_unary([](const Variable& v) { return bitgrad::pow(v, 3); }, -2, 2, 1e-5);
  CHECK_THAT(error_of<ValueError>([&] { bitgrad::pow(x, infinity); }), Catch::Contains("pow: the exponent is inf"));
}

TEST_CASE("where chooses, and what it does not choose has no influence") {
  const Tensor condition = Tensor::from({2, 1}, std::vector<std::int32_t>{1, 0});
  const Tensor a = Tensor::from({2}, {1, 2}), b = Tensor::from({2, 2}, {5, 6, 7, 8});
  CHECK(identical(where(condition, a, b).value(), Tensor::from({2, 2}, {1, 2, 7, 8})));
  {
    Tape tape;
    const Variable va = tape.watch(a), vb = tape.watch(Tensor::from({2, 2}, {not_a_number, infinity, 7, 8}));
    const Variable y = where(condition, va, vb);
    CHECK(identical(y.value(), Tensor::from({2, 2}, {1, 2, 7, 8})));
    tape.backward(y, Tensor::from({2, 2}, {10, 20, 30, 40}));
    CHECK(identical(tape.gradient(va), Tensor::from({2}, {10, 20})));
    CHECK(identical(tape.gradient(vb), Tensor::from({2, 2}, {0, 0, 30, 40})));
  }
  check_gradient([](const std::vector<Variable>& v) { return where(v[0].value(), v[1], v[2]); },
                 {Tensor::from({3, 1}, std::vector<double>{0, 1, -1}), uniform({1, 4}, 1), uniform({3, 4}, 2)});
  CHECK_THROWS_AS(where(condition, a, Tensor::zeros({3})), ShapeError);
  CHECK_THROWS_AS(where(condition, a, Tensor::zeros({2}, DType::float64)), ShapeError);
  CHECK_THROWS_AS(where(Tensor(), a, b), ShapeError);
}

TEST_CASE("NaN goes through every elementwise function") {
  const Tensor x = Tensor::full({20}, not_a_number);
  const std::vector<std::function<Variable(const Variable&)>> functions{
      relu,
      relu6,
      sigmoid,
      bitgrad::tanh,
      gelu,
      hard_sigmoid,
      hard_swish,
      [](const Variable& v) { return leaky_relu(v); },
      [](const Variable& v) { return bitgrad::pow(v, 2); },
      bitgrad::abs,
      bitgrad::exp,
      bitgrad::log,
      bitgrad::sqrt,
      softmax,
      log_softmax,
      [](const Variable& v) { return clip(v, -1, 1); },
      [](const Variable& v) { return maximum(v, Tensor::scalar(1)); },
      [](const Variable& v) { return maximum(Tensor::scalar(1), v); }};
  for (const auto& f : functions) {
    const Tensor y = f(x).value();
    for (const float value : y.span<float>()) CHECK(std::isnan(value));
  }
}

TEST_CASE("gradients of elementwise functions") {
  check_unary(relu, -1, 1);
  check_unary(relu6, -3, 9);
  check_unary(sigmoid, -4, 4);
  check_unary(bitgrad::abs, -1, 1);
  check_unary(bitgrad::exp, -2, 2);
  check_unary(bitgrad::log, 0.3, 3, 3e-6);
  check_unary(bitgrad::sqrt, 0.3, 3);
  check_unary([](const Variable& v) { return clip(v, -0.5, 0.25); }, -1, 1);
  check_unary([](const Variable& v) { return dropout(v, 0.4, 9, 2); }, -1, 1);
}

TEST_CASE("gradients at kinks and bounds") {
  const Tensor x = Tensor::from({5}, {-1, 0, 2, 6, 7});
  CHECK(identical(gradient_of(relu, x), Tensor::from({5}, {0, 0, 1, 1, 1})));
  CHECK(identical(gradient_of(relu6, x), Tensor::from({5}, {0, 0, 1, 0, 0})));
  CHECK(identical(gradient_of(bitgrad::abs, x), Tensor::from({5}, {-1, 0, 1, 1, 1})));
  CHECK(identical(gradient_of([](const Variable& v) { return clip(v, 0, 6); }, x), Tensor::from({5}, {0, 1, 1, 1, 0})));
  CHECK(identical(gradient_of([](const Variable& v) { return maximum(v, Tensor::scalar(2)); }, x),
                  Tensor::from({5}, {0, 0, 0.5f, 1, 1})));
  CHECK(identical(gradient_of([](const Variable& v) { return maximum(Tensor::scalar(2), v); }, x),
                  Tensor::from({5}, {0, 0, 0.5f, 1, 1})));
}

TEST_CASE("a gradient check at a kink sees the declared gradient") {
  const Tensor x = Tensor::from(Shape{6}, std::vector<double>{0, 1e-9, -1e-9, 6, 6 + 1e-9, 6 - 1e-9});
  for (const Unary f : {Unary(relu), Unary(relu6), Unary(bitgrad::abs)})
    check_gradient([f](const std::vector<Variable>& v) { return f(v[0]); }, {x});
  check_gradient([](const std::vector<Variable>& v) { return clip(v[0], 0, 6); }, {x});
  check_gradient([](const std::vector<Variable>& v) { return maximum(v[0], v[1]); }, {x, x.clone()});
}

TEST_CASE("gradients of maximum with broadcasting") {
  for (const auto& [a, b] :
       std::vector<std::pair<Shape, Shape>>{{{4, 3}, {4, 3}}, {{4, 3}, {3}}, {{4, 1}, {1, 3}}, {{}, {2, 2}}}) {
    const auto f = [](const std::vector<Variable>& v) { return maximum(v[0], v[1]); };
    check_gradient(f, {uniform(a, 1), uniform(b, 2)});
    check_float32(f, {uniform(a, 1), uniform(b, 2)});
  }
}

TEST_CASE("softmax and log_softmax") {
  const Tensor x = Tensor::from({2, 3}, {1000, 1000, -infinity, 0, 1, 2});
  const Tensor y = softmax(x).value();
  const double total = 1 + std::exp(1.0) + std::exp(2.0);
  const std::vector<double> expected{0.5, 0.5, 0, 1 / total, std::exp(1.0) / total, std::exp(2.0) / total};
  CHECK(distance(y, Tensor::from({2, 3}, expected)) < 1e-6);
  CHECK(distance(log_softmax(x.rows(1, 2)).value(),
                 Tensor::from({1, 3}, {-2.4076059644f, -1.4076059644f, -0.4076059644f})) < 1e-6);
  for (const Unary f : {Unary(softmax), Unary(log_softmax)}) {
    const auto function = [f](const std::vector<Variable>& v) { return f(v[0]); };
    for (const Shape& shape : {Shape{4}, Shape{3, 1}, Shape{2, 3, 5}, Shape{0, 2}})
      check_gradient(function, {uniform(shape, 3, -3, 3)});
    check_float32(function, {uniform({300, 17}, 3, -5, 5)}, 2e-6);
  }
}

TEST_CASE("dropout keeps the share it promises and decides by the element's number alone") {
  const Index n = 100000;
  const Tensor y = dropout(Tensor::full({n}, 2), 0.3, 11, 4).value();
  Index kept = 0;
  for (Index i = 0; i < n; ++i) {
    const bool keep = Random::uniform_at(11, 4, static_cast<std::uint64_t>(i)) >= 0.3f;
    REQUIRE(y.data<float>()[i] == (keep ? 2.0f * static_cast<float>(1 / 0.7) : 0.0f));
    kept += keep;
  }
  CHECK(std::abs(static_cast<double>(kept) / static_cast<double>(n) - 0.7) < 0.005);
  CHECK(identical(dropout(Tensor::full({50}, 2), 0.3, 11, 4).value(), y.rows(0, 50)));
  CHECK(identical(dropout(y, 0, 1).value(), y));
  CHECK_FALSE(identical(dropout(Tensor::full({n}, 2), 0.3, 11, 5).value(), y));
}
