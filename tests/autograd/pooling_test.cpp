#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

struct Case {
  Shape x;
  Pool2DArguments options;
};

const Case cases[] = {
    {{1, 1, 1, 1}, {.window = {1, 1}}},
    {{2, 4, 6, 3}, {}},
    {{1, 5, 7, 2}, {.window = {2, 3}, .stride = Stride{1, 2}}},
    {{1, 7, 5, 1}, {.window = {3, 3}, .stride = Stride{2, 2}, .padding = Padding::same()}},
    {{2, 2, 2, 2}, {.window = {3, 3}, .stride = Stride{3, 3}, .padding = Padding::explicit_(1, 1, 0, 2)}},
};

}  // namespace

TEST_CASE("pooling by hand") {
  const Tensor x = Tensor::from({1, 2, 4, 1}, {1, 5, 2, 0,  //
                                               3, -1, 8, 4});
  CHECK(identical(max_pool2d(x).value(), Tensor::from({1, 1, 2, 1}, {5, 8})));
  CHECK(identical(average_pool2d(x).value(), Tensor::from({1, 1, 2, 1}, {2, 3.5f})));
  CHECK(identical(global_average_pool2d(x).value(), Tensor::from({1, 1}, {2.75f})));
  // Padding neither wins nor counts.
  const Pool2DArguments padded{.window = {2, 2}, .stride = Stride{2, 2}, .padding = Padding::explicit_(1, 1, 0, 0)};
  CHECK(identical(max_pool2d(-Variable(x), padded).value(), Tensor::from({1, 2, 2, 1}, {-1, -0.0f, 1, -4})));
  CHECK(identical(average_pool2d(x, padded).value(), Tensor::from({1, 2, 2, 1}, {3, 1, 1, 6})));
}

TEST_CASE("gradients of pooling") {
  for (const Case& c : cases) {
    INFO(c.x);
    const std::vector<Tensor> inputs{uniform(c.x, 1)};
    for (const auto pool : {max_pool2d, average_pool2d}) {
      const auto f = [&](const std::vector<Variable>& v) { return pool(v[0], c.options); };
      check_gradient(f, inputs);
      check_float32(f, inputs, 1e-6);
    }
    const auto global = [&](const std::vector<Variable>& v) { return global_average_pool2d(v[0]); };
    check_gradient(global, inputs);
    check_float32(global, inputs, 1e-6);
  }
}

TEST_CASE("max_pool2d replays its winners: ties and near ties pass a gradient check") {
  Tensor x = Tensor::full({1, 4, 4, 2}, 0.5, DType::float64);
  x.data<double>()[3] += 1e-7;
  check_gradient([](const std::vector<Variable>& v) { return max_pool2d(v[0]); }, {x});
  Tape tape;
  const Variable leaf = tape.watch(Tensor::full({1, 1, 2, 1}, 1));
  tape.backward(max_pool2d(leaf, {.window = {1, 2}}));
  CHECK(identical(tape.gradient(leaf), Tensor::from({1, 1, 2, 1}, {1, 0})));
}
