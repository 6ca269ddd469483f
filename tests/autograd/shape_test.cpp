#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {
Variable zeros(const Shape& shape) { return Tensor::zeros(shape); }
}  // namespace

TEST_CASE("reshape and flatten") {
  const Tensor x = uniform({2, 3, 4}, 1);
  CHECK(identical(reshape(x, {4, 6}).value(), x.reshape({4, 6})));
  CHECK(flatten(x).shape() == Shape{2, 12});
  CHECK(flatten(uniform({5}, 1)).shape() == Shape{5, 1});
  CHECK(flatten(zeros({0, 3, 2})).shape() == Shape{0, 6});
  check_gradient(
      [](const std::vector<Variable>& v) {
        return reshape(v[0], {4, 6}) * flatten(reshape(v[0], {4, 3, 2}));
      },
      {x});
}

TEST_CASE("gradients of reshape, flatten and pad for other shapes") {
  const auto moved = [](const std::vector<Variable>& v) {
    const Variable flat = reshape(v[0], {v[0].value().size()});
    return flatten(reshape(pad(flat, {{2, 1}}), {1, flat.shape()[0] + 3}));
  };
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 1, 2}, Shape{2, 2, 2, 2}}) {
    check_gradient(moved, {uniform(shape, 1)});
    check_float32(moved, {uniform(shape, 2)}, 0);
  }
}

TEST_CASE("concat") {
  const Tensor a = Tensor::from({2, 1}, {1, 2}), b = Tensor::from({2, 2}, {3, 4, 5, 6});
  CHECK(identical(concat({a, b}).value(), Tensor::from({2, 3}, {1, 3, 4, 2, 5, 6})));
  CHECK(identical(concat({b, b}, 0).value(), Tensor::from({4, 2}, {3, 4, 5, 6, 3, 4, 5, 6})));
  for (const int axis : {0, 1, 2, -1}) {
    std::vector<Tensor> inputs;
    for (const Index extent : {2, 1, 3})
      inputs.push_back(uniform(Shape{2, 2, 2}.with(axis, extent), static_cast<std::uint64_t>(extent)));
    const auto f = [axis](const std::vector<Variable>& v) { return concat({v[0], v[1], v[2], v[0]}, axis); };
    check_gradient(f, inputs);
    check_float32(f, inputs, 1e-7);  // the first operand is used twice
  }
}

TEST_CASE("pad") {
  const Tensor x = Tensor::from({1, 2}, {1, 2});
  CHECK(identical(pad(x, {{1, 0}, {0, 2}}).value(), Tensor::from({2, 4}, {0, 0, 0, 0, 1, 2, 0, 0})));
  CHECK(identical(pad(x, {{}, {}}).value(), x));
  const auto f = [](const std::vector<Variable>& v) { return pad(v[0], {{0, 0}, {1, 2}, {3, 0}, {0, 1}}); };
  check_gradient(f, {uniform({2, 3, 2, 2}, 1)});
  check_float32(f, {uniform({2, 3, 2, 2}, 1)}, 0);
}

TEST_CASE("sum and mean") {
  const Tensor x = Tensor::from({2, 3}, {1, 2, 3, 4, 5, 7});
  CHECK(identical(sum(x).value(), Tensor::scalar(22)));
  CHECK(identical(sum(x, {.axes = {0}}).value(), Tensor::from({3}, {5, 7, 10})));
  CHECK(identical(sum(x, {.axes = {-1}, .keepdims = true}).value(), Tensor::from({2, 1}, {6, 16})));
  CHECK(identical(mean(x, {.axes = {1}}).value(), Tensor::from({2}, {2, 16.0f / 3})));
  CHECK(identical(mean(x, {.keepdims = true}).value(), Tensor::from({1, 1}, {22.0f / 6})));
  CHECK(identical(sum(Tensor::scalar(3)).value(), Tensor::scalar(3)));
  CHECK(identical(sum(zeros({0, 2}), {.axes = {0}}).value(), Tensor::zeros({2})));
  for (const auto reduce : {sum, mean})
    for (const bool keepdims : {false, true})
      for (const std::vector<int>& axes :
           std::vector<std::vector<int>>{{}, {0}, {1}, {-1}, {0, 2}, {1, 2}, {2, 0, 1}}) {
        const auto f = [&](const std::vector<Variable>& v) {
          return reduce(v[0], {.axes = axes, .keepdims = keepdims});
        };
        check_gradient(f, {uniform({2, 3, 4}, 1)});
        check_float32(f, {uniform({3, 1, 4}, 1)}, 1e-7);
      }
}

TEST_CASE("sum_to undoes broadcasting") {
  const Tensor x = Tensor::from({2, 3}, {1, 2, 3, 4, 5, 7});
  CHECK(identical(sum_to(x, {2, 3}).value(), x));
  CHECK(identical(sum_to(x, {3}).value(), Tensor::from({3}, {5, 7, 10})));
  CHECK(identical(sum_to(x, {1, 3}).value(), Tensor::from({1, 3}, {5, 7, 10})));
  CHECK(identical(sum_to(x, {2, 1}).value(), Tensor::from({2, 1}, {6, 16})));
  CHECK(identical(sum_to(x, {1}).value(), Tensor::from({1}, {22})));
  CHECK(identical(sum_to(x, Shape{}).value(), Tensor::scalar(22)));
  for (const Shape& shape : {Shape{1, 4}, Shape{3, 1}, Shape{2, 1, 1}, Shape{}})
    check_gradient([&](const std::vector<Variable>& v) { return sum_to(v[0], shape); }, {uniform({2, 3, 4}, 1)});
  CHECK_THAT(error_of<ShapeError>([&] { sum_to(x, {2}); }), Catch::Contains("sum_to"));
  CHECK_THAT(error_of<ShapeError>([&] { sum_to(x, {4, 2, 3}); }), Catch::Contains("does not broadcast"));
}
