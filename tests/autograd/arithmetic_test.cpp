#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

using Binary = Variable (*)(const Variable&, const Variable&);
const std::pair<Shape, Shape> shape_pairs[] = {{{}, {}},
                                               {{5}, {5}},
                                               {{2, 3}, {3}},
                                               {{3}, {2, 3}},
                                               {{2, 3}, {2, 1}},
                                               {{2, 1}, {1, 3}},
                                               {{2, 3, 4}, {}},
                                               {{1}, {2, 3}},
                                               {{2, 3, 2, 4}, {3, 1, 4}},
                                               {{2, 1, 3}, {1, 4, 1}},
                                               {{2, 3, 4}, {2, 1, 4}},
                                               {{1, 1}, {1}},
                                               {{7, 200}, {200}},
                                               {{600, 3}, {3}},
                                               {{0, 3}, {3}}};

/// The index of element `i` of a tensor of shape `out` in an operand that broadcasts to it.
Index operand_index(const Shape& operand, const Shape& out, Index i) {
  Index result = 0, stride = 1;
  for (int axis = out.rank() - 1; axis >= 0; --axis) {
    const Index position = i % out[axis];
    i /= out[axis];
    const int own = axis - (out.rank() - operand.rank());
    if (own < 0) break;
    if (operand[own] != 1) result += position * stride;
    stride *= operand[own];
  }
  return result;
}

void compare_elements(Binary f, double (*scalar)(double, double)) {
  for (const auto& [a_shape, b_shape] : shape_pairs) {
    const Tensor a = uniform(a_shape, 1, -2, 2), b = uniform(b_shape, 2, 0.5, 2);
    const Tensor y = f(a, b).value();
    REQUIRE(y.shape() == broadcast_shapes(a_shape, b_shape, "test"));
    for (Index i = 0; i < y.size(); ++i)
      REQUIRE(y.data<double>()[i] == scalar(a.data<double>()[operand_index(a_shape, y.shape(), i)],
                                            b.data<double>()[operand_index(b_shape, y.shape(), i)]));
  }
}

}  // namespace

TEST_CASE("arithmetic broadcasts as NumPy does") {
  compare_elements(add, [](double a, double b) { return a + b; });
  compare_elements(sub, [](double a, double b) { return a - b; });
  compare_elements(mul, [](double a, double b) { return a * b; });
  compare_elements(div, [](double a, double b) { return a / b; });
}

TEST_CASE("gradients of arithmetic") {
  for (const Binary f : {Binary(add), Binary(sub), Binary(mul), Binary(div)})
    for (const auto& [a_shape, b_shape] : shape_pairs) {
      INFO(a_shape << " " << b_shape);
      const auto function = [f](const std::vector<Variable>& x) { return f(x[0], x[1]); };
      const std::vector<Tensor> inputs{uniform(a_shape, 1, -2, 2), uniform(b_shape, 2, 0.5, 2)};
      check_gradient(function, inputs, {.max_elements = 60});
      check_float32(function, inputs, 3e-6);
    }
}

TEST_CASE("gradients of negation") {
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3, 4}, Shape{0, 2}}) {
    const auto f = [](const std::vector<Variable>& x) { return negate(x[0]); };
    check_gradient(f, {uniform(shape, 1)});
    check_float32(f, {uniform(shape, 1)}, 0);
  }
}

TEST_CASE("an operand on both sides gets both gradients") {
  check_gradient([](const std::vector<Variable>& x) { return x[0] * x[0] + x[0] / (x[0] + 3.0) - (-x[0]); },
                 {uniform({4}, 3)});
}

TEST_CASE("numbers as operands") {
  const Variable x(Tensor::from({3}, {1, 2, 4}));
  CHECK(identical((x + 1.0).value(), Tensor::from({3}, {2, 3, 5})));
  CHECK(identical((1.0 + x).value(), Tensor::from({3}, {2, 3, 5})));
  CHECK(identical((x - 1.0).value(), Tensor::from({3}, {0, 1, 3})));
  CHECK(identical((1.0 - x).value(), Tensor::from({3}, {0, -1, -3})));
  CHECK(identical((x * 2.0).value(), Tensor::from({3}, {2, 4, 8})));
  CHECK(identical((2.0 * x).value(), Tensor::from({3}, {2, 4, 8})));
  CHECK(identical((x / 2.0).value(), Tensor::from({3}, {0.5f, 1, 2})));
  CHECK(identical((2.0 / x).value(), Tensor::from({3}, {2, 1, 0.5f})));
  CHECK(identical((-x).value(), Tensor::from({3}, {-1, -2, -4})));
}

TEST_CASE("a sum over a broadcast axis does not lose digits") {
  const Index n = 1 << 22;  // a float32 running sum of 0.1 is off by 2 % here
  Tape tape;
  const Variable b = tape.watch(Tensor::zeros({1}));
  const Variable y = Tensor::zeros({n, 1}) + b;
  tape.backward(y, Tensor::full({n, 1}, 0.1));
  CHECK(tape.gradient(b).item() == Approx(0.1 * n).epsilon(1e-7));
}

TEST_CASE("sums of large tensors over any axes") {
  for (const auto& [shape, axes] : std::vector<std::pair<Shape, std::vector<int>>>{{{70000, 3}, {0}},
                                                                                   {{3, 70000}, {1}},
                                                                                   {{2, 40000, 5}, {1}},
                                                                                   {{3, 5000}, {0}},
                                                                                   {{50, 40, 30}, {0, 2}},
                                                                                   {{300, 400}, {}},
                                                                                   {{9, 1, 65}, {0, 1}}}) {
    const Tensor x = uniform(shape, 4, -1, 1, DType::float32);
    check_float32([axes = axes](const std::vector<Variable>& v) { return mean(v[0], {.axes = axes}); }, {x}, 1e-7);
    const Tensor y = sum(x.to(DType::float64), {.axes = axes, .keepdims = true}).value();
    Tensor expected = Tensor::zeros(y.shape(), DType::float64);
    for (Index i = 0; i < x.size(); ++i)
      expected.data<double>()[operand_index(y.shape(), shape, i)] += static_cast<double>(x.data<float>()[i]);
    CHECK(distance(y, expected) < 1e-12);
  }
}
