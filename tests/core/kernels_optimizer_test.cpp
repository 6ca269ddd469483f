#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/core/kernels/optimizer.hpp>

#include "kernels_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

TEST_CASE("SGD by hand: decay, momentum, Nesterov") {
  const double gradient = 2.0;
  double velocity = 0.5, parameter = 10.0;
  kernels::sgd_update(1, {.rate = 0.1, .momentum = 0.5, .weight_decay = 0.2}, &gradient, &velocity, &parameter);
  CHECK(velocity == Approx(4.25));  // 0.5 * 0.5 + (2 + 0.2 * 10)
  CHECK(parameter == Approx(9.575));
  velocity = 0.5, parameter = 10.0;
  kernels::sgd_update(1, {.rate = 0.1, .momentum = 0.5, .weight_decay = 0.2, .nesterov = true}, &gradient, &velocity,
                      &parameter);
  CHECK(parameter == Approx(10.0 - 0.1 * (4.0 + 0.5 * 4.25)));
}

TEST_CASE("Adam by hand: the first step has the length of the rate") {
  const double gradient = -3.0;
  double first = 0, second = 0, parameter = 1.0;
  kernels::adam_update(1, {.rate = 0.01, .correction1 = 1 - 0.9, .correction2 = 1 - 0.999}, &gradient, &first, &second,
                       &parameter);
  CHECK(first == Approx(-0.3));
  CHECK(second == Approx(0.009));
  CHECK(parameter == Approx(1.01));
  // The second step, with weight decay: g = -3 + 0.1 * 1.01
  kernels::adam_update(1, {.rate = 0.01, .weight_decay = 0.1, .correction1 = 1 - 0.81, .correction2 = 1 - 0.998001},
                       &gradient, &first, &second, &parameter);
  const double g = -3 + 0.1 * 1.01, m = 0.9 * -0.3 + 0.1 * g, v = 0.999 * 0.009 + 0.001 * g * g;
  CHECK(parameter == Approx(1.01 - 0.01 * (m / 0.19) / (std::sqrt(v / 0.001999) + 1e-8)));
}

TEST_CASE("RMSprop and the moving average by hand") {
  const double gradient = 2.0;
  double second = 1.0, velocity = 4.0, parameter = 10.0;
  kernels::rmsprop_update(1, {.rate = 0.1, .smoothing = 0.75, .epsilon = 0.5, .momentum = 0.25, .weight_decay = 0.2},
                          &gradient, &second, &velocity, &parameter);
  CHECK(second == Approx(4.75));  // 0.75 * 1 + 0.25 * (2 + 0.2 * 10)^2
  CHECK(velocity == Approx(1 + 4 / (std::sqrt(4.75) + 0.5)));
  CHECK(parameter == Approx(10 - 0.1 * velocity));
  double average = 3.0;
  kernels::average_update(1, 0.25, &parameter, &average);
  CHECK(average == Approx(3 + 0.25 * (parameter - 3)));
}

TEST_CASE("optimizer updates are the same bits in every setting") {
  const Index n = 70001;
  const auto gradient = reals(n, 1), start = reals(n, 2), velocity = reals(n, 3);
  auto second = reals(n, 4);
  for (float& value : second) value = std::abs(value);
  std::vector<float> first_sgd, first_adam, first_rmsprop, first_average;
  for_each_setting([&] {
    auto p = start, v = velocity, s = second;
    kernels::sgd_update(n, {.rate = 0.1, .momentum = 0.9, .weight_decay = 1e-4, .nesterov = true}, gradient.data(),
                        v.data(), p.data());
    if (first_sgd.empty()) first_sgd = p;
    CHECK(same_bits(p, first_sgd));
    p = start, v = velocity;
    kernels::adam_update(n, {.shrink = 0.999, .correction1 = 0.19, .correction2 = 0.002}, gradient.data(), v.data(),
                         s.data(), p.data());
    if (first_adam.empty()) first_adam = p;
    CHECK(same_bits(p, first_adam));
    p = start, v = velocity, s = second;
    kernels::rmsprop_update(n, {.momentum = 0.9, .weight_decay = 1e-4}, gradient.data(), s.data(), v.data(), p.data());
    kernels::average_update(n, 0.01, p.data(), v.data());
    if (first_rmsprop.empty()) first_rmsprop = p, first_average = v;
    CHECK(same_bits(p, first_rmsprop));
    CHECK(same_bits(v, first_average));
  });
}
