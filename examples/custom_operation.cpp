// An operation of your own: forward, gradient, a check of the gradient, and a training loop by hand.
#include <cmath>
#include <iostream>

#include <bitgrad/bitgrad.hpp>

using namespace bitgrad;

namespace {

/// A copy of a float32 or float64 tensor with f applied to every element.
template <class F>
Tensor map(const Tensor& x, F f) {
  Tensor y = x.clone();
  dispatch_floating("map", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (T& value : y.span<T>()) value = static_cast<T>(f(static_cast<double>(value)));
  });
  return y;
}

/// log(1 + exp(x)), whose derivative is 1 / (1 + exp(-x)).
Variable softplus(const Variable& x) {
  return custom_op(
      "softplus", {x},
      [](const std::vector<Tensor>& inputs) {
        return map(inputs[0], [](double v) { return std::log1p(std::exp(v)); });
      },
      [](const CustomOpContext& context) -> std::vector<Tensor> {
        const Tensor slope = map(context.inputs[0], [](double v) { return 1 / (1 + std::exp(-v)); });
        return {(Variable(context.output_gradient) * Variable(slope)).value()};
      });
}

}  // namespace

int main() {
  // Central differences in double precision; throws when the gradient is wrong.
  const auto f = [](const std::vector<Variable>& inputs) { return softplus(inputs[0]); };
  std::cout << check_gradients(f, {Tensor::from({5}, {-3, -0.5, 0, 1, 4})}) << '\n';
  require_gradients(f, {Tensor::from({2}, {-1, 2})});

  // Fits y = softplus(a x + b) to points of a = 2, b = -1.
  const Tensor x = Tensor::from({6}, {-2, -1, 0, 1, 2, 3});
  const Tensor y = map(x, [](double v) { return std::log1p(std::exp(2 * v - 1)); });
  const std::vector<NamedParameter> parameters{{"a", std::make_shared<Parameter>("a", Tensor::full({1}, 0.5))},
                                               {"b", std::make_shared<Parameter>("b", Tensor::zeros({1}))}};
  Adam optimizer(parameters, {.learning_rate = 0.05});
  double loss = 0;
  for (int step = 0; step < 500; ++step) {
    optimizer.zero_gradient();
    Tape tape;
    const Variable prediction =
        softplus(variable_of(parameters[0].parameter) * x + variable_of(parameters[1].parameter));
    const Variable error = mse(prediction, y);
    loss = error.value().item();
    tape.backward(error);
    optimizer.step();
  }
  std::cout << "loss " << loss << ", a " << parameters[0].parameter->value().item() << ", b "
            << parameters[1].parameter->value().item() << '\n';
  return loss < 1e-4 ? 0 : 1;
}
