// Operands that no operation takes, for every operation: undefined ones, integers, two dtypes, another tape.
#include <autograd/refused.hpp>

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
      binary("where", [](auto& a, auto& b) { return where(Tensor::full({3}, 1), a, b); }),
      binary("concat",
             [](auto& a, auto& b) {
               return concat({a, b});
             }),
      {"mse", {{2, 3}, {2, 3}}, [](const auto& v) { return mse(v[0], v[1]); }},
      {"matmul", {{2, 3}, {3, 4}}, [](const auto& v) { return matmul(v[0], v[1]); }},
      {"conv2d", {{1, 4, 4, 2}, {3, 3, 2, 5}}, [](const auto& v) { return conv2d(v[0], v[1]); }},
      {"conv2d_transpose", {{1, 4, 4, 2}, {3, 3, 2, 5}}, [](const auto& v) { return conv2d_transpose(v[0], v[1]); }},
      {"batch_norm", {{4, 3}, {3}, {3}}, [](const auto& v) { return batch_norm(v[0], v[1], v[2]).y; }},
      {"layer_norm", {{4, 3}, {3}, {3}}, [](const auto& v) { return layer_norm(v[0], v[1], v[2]); }},
      of_images("upsample2d", [](auto& x) { return upsample2d(x); }),
      of_images("max_pool2d", [](auto& x) { return max_pool2d(x); }),
      of_images("average_pool2d", [](auto& x) { return average_pool2d(x); }),
      of_images("global_average_pool2d", [](auto& x) { return global_average_pool2d(x); }),
      unary("cross_entropy", [labels](auto& x) { return cross_entropy(x, labels); }),
      unary("soft_cross_entropy",
            [](auto& x) {
              return soft_cross_entropy(x, Tensor::full({2, 3}, 1.0 / 3));
            }),
      unary("negate", [](auto& x) { return negate(x); }),
      unary("relu", [](auto& x) { return relu(x); }),
      unary("relu6", [](auto& x) { return relu6(x); }),
      unary("sigmoid", [](auto& x) { return sigmoid(x); }),
      unary("tanh", [](auto& x) { return bitgrad::tanh(x); }),
      unary("gelu", [](auto& x) { return gelu(x); }),
      unary("hard_sigmoid", [](auto& x) { return hard_sigmoid(x); }),
      unary("hard_swish", [](auto& x) { return hard_swish(x); }),
      unary("leaky_relu", [](auto& x) { return leaky_relu(x); }),
      unary("pow", [](auto& x) { return bitgrad::pow(x, 2); }),
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
