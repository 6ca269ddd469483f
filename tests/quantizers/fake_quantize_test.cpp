#include <catch2/catch.hpp>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/core/error.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

/// A grid whose parameters have the given shape.
struct Case {
  std::string name;
  Shape shape, parameters;
  ClampGradient gradient;
  bool offset, zero_point;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const auto& [shape, parameters] : std::vector<std::pair<Shape, Shape>>{{{7, 5}, {}},
                                                                              {{7, 5}, {1}},
                                                                              {{7, 5}, {5}},
                                                                              {{3, 4, 2}, {4, 1}},
                                                                              {{3, 4, 2}, {3, 1, 1}},
                                                                              {{20000, 3}, {1, 3}},
                                                                              {{70000}, {1}}}) {
    for (const ClampGradient gradient :
         {ClampGradient::everywhere, ClampGradient::level_in_bounds, ClampGradient::value_in_bounds})
      for (const bool offset : {false, true})
        result.push_back(
            {message(shape, " by ", parameters, " mode ", static_cast<int>(gradient), offset ? " offset" : ""), shape,
             parameters, gradient, offset, false});
    result.push_back({message(shape, " by ", parameters, " zero point"), shape, parameters,
                      ClampGradient::value_in_bounds, false, true});
  }
  return result;
}

Tensor numbers(const Shape& shape, double first, double step) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i)
    result.data<float>()[i] = static_cast<float>(first + step * static_cast<double>(i));
  return result;
}

/// Step, offset and zero point of a case, in the order of its variables.
std::vector<Tensor> parameters_of(const Case& c) {
  std::vector<Tensor> parameters{numbers(c.parameters, 0.13, 0.07)};
  if (c.offset) parameters.push_back(numbers(c.parameters, -0.4, 0.11));
  if (c.zero_point) parameters.push_back(numbers(c.parameters, 3, 2));
  return parameters;
}

LearnedGrid grid_of(const Case& c, const std::vector<Variable>& parameters) {
  LearnedGrid grid{.step = parameters[0], .gradient = c.gradient};
  if (c.offset) grid.offset = parameters[1];
  if (c.zero_point) grid.zero_point = parameters[1];
  grid.lo = c.offset || c.zero_point ? 0 : -8;
  grid.hi = grid.lo + 15;
  return grid;
}

struct Result {
  Tensor y;
  std::vector<Tensor> gradients;  // of x, then the parameters
};

template <class F>
Result differentiate(const Case& c, F&& f) {
  Tape tape;
  std::vector<Variable> leaves{tape.watch(scattered(c.shape, 11, 2))};
  for (const Tensor& parameter : parameters_of(c)) leaves.push_back(tape.watch(parameter));
  const Variable y = f(leaves[0], grid_of(c, {leaves.begin() + 1, leaves.end()}));
  tape.backward(y, scattered(c.shape, 12));
  Result result{y.value(), {}};
  for (const Variable& leaf : leaves) result.gradients.push_back(tape.gradient(leaf));
  return result;
}

Result fused(const Case& c) {
  return differentiate(c, [](const Variable& x, const LearnedGrid& grid) { return fake_quantize("test", x, grid); });
}

}  // namespace

TEST_CASE("the fused operation equals its definition") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Result got = fused(c), defined = differentiate(c, fake_quantize_definition);
    CHECK(identical(got.y, defined.y));
    REQUIRE(got.gradients.size() == defined.gradients.size());
    for (std::size_t i = 0; i < got.gradients.size(); ++i) {
      const Tensor& a = got.gradients[i];
      const Tensor& b = defined.gradients[i];
      REQUIRE(a.shape() == b.shape());
      double worst = 0;
      // The definition rounds after every operation; sums over a channel of terms of size 10 differ in proportion to
      // their root.
      const double tolerance = i == 0 ? 1e-6 : 1e-5 * std::sqrt(static_cast<double>(c.shape.size()));
      for (Index k = 0; k < a.size(); ++k)
        worst = std::max(worst,
                         std::abs(static_cast<double>(a.data<float>()[k]) - static_cast<double>(b.data<float>()[k])));
      CAPTURE(i, tolerance);
      CHECK(worst <= tolerance);
    }
  }
}

TEST_CASE("the definition's gradients are those of its surrogate, in double") {
  for (const Case& c : cases()) {
    if (c.shape.size() > 1000) continue;
    CAPTURE(c.name);
    std::vector<Tensor> inputs{scattered(c.shape, 21, 2)};
    for (const Tensor& parameter : parameters_of(c)) inputs.push_back(parameter);
    CHECK_NOTHROW(require_gradients(
        [&](const std::vector<Variable>& in) {
          return fake_quantize("test", in[0], grid_of(c, {in.begin() + 1, in.end()}));
        },
        inputs));
  }
}

TEST_CASE("the same bytes for any number of threads") {
  for (const Case& c : cases()) {
    Result first;
    for (const int threads : {1, 2, 3}) {
      const Threads scope(threads);
      const Result result = fused(c);
      if (threads == 1) first = result;
      CHECK(identical(result.y, first.y));
      for (std::size_t i = 0; i < result.gradients.size(); ++i)
        CHECK(identical(result.gradients[i], first.gradients[i]));
    }
  }
}

TEST_CASE("gradients add to what is there already") {
  const Tensor x = row({0.3F, -5, 5});
  Tape tape;
  const Variable leaf = tape.watch(x);
  const LearnedGrid grid{.step = Variable(Tensor::scalar(0.5)), .lo = -4, .hi = 3};
  const Variable y = fake_quantize("a", leaf, grid) + fake_quantize("b", leaf, grid) + leaf;
  tape.backward(y, row({1, 1, 1}));
  const Tensor gradient = tape.gradient(leaf);
  CHECK(gradient.data<float>()[0] == 3);
  CHECK(gradient.data<float>()[1] == 1);
  CHECK(gradient.data<float>()[2] == 1);
}

TEST_CASE("NaN stays, infinities saturate, nothing turns into -0") {
  const LearnedGrid grid{.step = Variable(Tensor::scalar(0.5)), .lo = -4, .hi = 3};
  const Tensor y = fake_quantize("test", row({not_a_number, infinity, -infinity, -0.1F, 3e38F}), grid).value();
  CHECK(std::isnan(y.data<float>()[0]));
  CHECK(y.data<float>()[1] == 1.5F);
  CHECK(y.data<float>()[2] == -2);
  CHECK_FALSE(std::signbit(y.data<float>()[3]));
  CHECK(y.data<float>()[4] == 1.5F);
}

TEST_CASE("parameters that do not fit are refused") {
  const Variable x(Tensor::zeros(Shape{4, 3}));
  const auto step = [](const Shape& shape) {
    return LearnedGrid{.step = Variable(Tensor::full(shape, 1)), .lo = 0, .hi = 1};
  };
  CHECK_THROWS_WITH(fake_quantize("here", x, step(Shape{4})),
                    Contains("here") && Contains("(4)") && Contains("(4, 3)"));
  CHECK_THROWS_AS(fake_quantize("here", x, step(Shape{4, 3})), ShapeError);
  CHECK_THROWS_AS(fake_quantize("here", x, step(Shape{2, 1, 1})), ShapeError);
  LearnedGrid grid = step(Shape{3});
  grid.offset = Variable(Tensor::zeros(Shape{1}));
  CHECK_THROWS_WITH(fake_quantize("here", x, grid), Contains("expected the step's (3)"));
}
