// Steps that wait for each other: together they are what they are one after the other.
#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/tape.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

using Inputs = std::vector<Variable>;  // x, gamma, beta, step, offset or zero point

struct Case {
  std::string name;
  Shape shape;
  bool normalize;
  kernels::Clamp clamp;
  LearnedGrid grid;  // without parameters; hi 0: no grid
  bool offset = false, zero_point = false;
};

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const Shape& shape : {Shape{6, 3}, Shape{2, 3, 2, 16}, Shape{3, 40, 41, 16}})
    for (const bool normalize : {false, true})
      for (const kernels::Clamp clamp : {kernels::Clamp::none, kernels::Clamp::relu, kernels::Clamp::relu6}) {
        result.push_back({"no grid", shape, normalize, clamp, {}});
        for (const ClampGradient gradient :
             {ClampGradient::everywhere, ClampGradient::level_in_bounds, ClampGradient::value_in_bounds}) {
          result.push_back({"grid", shape, normalize, clamp, {.lo = -4, .hi = 11, .gradient = gradient}});
          result.push_back({"offset", shape, normalize, clamp, {.lo = 0, .hi = 15, .gradient = gradient}, true});
        }
        result.push_back({"zero point", shape, normalize, clamp, {.lo = 0, .hi = 15}, false, true});
      }
  return result;
}

std::vector<Tensor> inputs_of(const Case& c) {
  const Shape channels{c.shape[-1]};
  std::vector<Tensor> result{uniform(c.shape, 1, -2, 2), uniform(channels, 2, 0.5, 1.5), uniform(channels, 3),
                             Tensor::full({1}, 0.13F).to(DType::float64)};
  if (c.offset) result.push_back(Tensor::full({1}, -0.3F).to(DType::float64));
  if (c.zero_point) result.push_back(Tensor::full({1}, 4).to(DType::float64));
  return result;
}

Pending steps(const Case& c, const Inputs& in) {
  Pending x(in[0]);
  if (c.normalize) x = x.batch_norm(batch_statistics(in[0]), in[1], in[2], 1e-2);
  if (c.clamp == kernels::Clamp::relu) x = x.relu();
  if (c.clamp == kernels::Clamp::relu6) x = x.relu6();
  return x;
}

/// `together`: by the fused operation, else by its definition.
Variable compute(const Case& c, const Inputs& in, bool together) {
  const Pending x = steps(c, in);
  if (c.grid.hi == 0) return together ? x.value() : x.definition();
  LearnedGrid grid = c.grid;
  grid.step = in[3];
  if (c.offset) grid.offset = in[4];
  if (c.zero_point) grid.zero_point = in[4];
  return together ? fake_quantize("grid", x, grid) : fake_quantize("grid", x.definition(), grid);
}

std::vector<Tensor> narrow(std::vector<Tensor> inputs) {
  for (Tensor& input : inputs) input = input.to(DType::float32);
  return inputs;
}

}  // namespace

TEST_CASE("steps taken together are their definition, to the bit, for any number of threads") {
  for (const Case& c : cases()) {
    CAPTURE(c.name, c.shape, c.normalize, static_cast<int>(c.clamp), static_cast<int>(c.grid.gradient));
    const std::vector<Tensor> inputs = narrow(inputs_of(c));
    const Pass defined = run_pass([&](const Inputs& in) { return compute(c, in, false); }, inputs);
    for (const int threads : {1, 2, 3, 7}) {
      const Threads scope(threads);
      const Pass together = run_pass([&](const Inputs& in) { return compute(c, in, true); }, inputs);
      CHECK(identical(together.value, defined.value));
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        CAPTURE(i);
        if (i < 3 || 256 % c.shape[-1] == 0)
          CHECK(identical(together.gradients[i], defined.gradients[i]));
        else  // sums over other chunks
          CHECK(distance(together.gradients[i], defined.gradients[i]) <= 1e-6);
      }
    }
  }
}

TEST_CASE("gradients of steps taken together, by differences in double") {
  for (const Case& c : cases()) {
    if (c.shape.size() > 1000) continue;
    CAPTURE(c.name, c.shape, c.normalize, static_cast<int>(c.clamp), static_cast<int>(c.grid.gradient));
    check_gradient([&](const Inputs& in) { return compute(c, in, true); }, inputs_of(c));
  }
}

TEST_CASE("float32 gradients of steps taken together follow those in double") {
  for (const Case& c : cases()) {
    if (c.grid.hi != 0) continue;  // there a rounding may fall to the other side in float32
    CAPTURE(c.name, c.shape, c.normalize, static_cast<int>(c.clamp));
    check_float32([&](const Inputs& in) { return compute(c, in, true); }, inputs_of(c), 1e-4);
  }
}

TEST_CASE("one operation on the tape, in the scope where the last step was added") {
  Tape tape;
  const Variable x = tape.watch(uniform({4, 8}, 1, -1, 1, DType::float32));
  Pending pending(x);
  {
    const Tape::Scope scope("block");
    pending = pending.batch_norm(batch_statistics(x), Tensor::full({8}, 1), Tensor::zeros({8}), 1e-3).relu();
  }
  const Tape::Scope scope("behind");
  const std::size_t before = tape.size();
  const Variable y = pending.value();
  CHECK(tape.size() == before + 1);
  CHECK(tape.dump().find("block/batch_norm+relu") != std::string::npos);
  fake_quantize("lsq", Pending(y).relu6(), {.step = Variable(Tensor::scalar(0.5)), .lo = 0, .hi = 7});
  CHECK(tape.dump().find("behind/relu6+lsq") != std::string::npos);
  CHECK(Tape::Scope::path() == "behind/");
}

TEST_CASE("a step that cannot stand behind the others lets them be taken first") {
  const Tensor x = uniform({4, 8}, 1, -9, 9, DType::float32);
  const Tensor gamma = Tensor::full({8}, 3), beta = Tensor::full({8}, 1);
  const Variable clamped = relu(x);
  const Pending again = Pending(x).relu().batch_norm(batch_statistics(clamped), gamma, beta, 1e-3).relu6();
  CHECK(again.name() == "batch_norm+relu6");
  CHECK(identical(again.value().value(), relu6(batch_norm(clamped, gamma, beta, 1e-3).y).value()));
  CHECK(identical(Pending(x).relu6().relu().value().value(), relu(relu6(x)).value()));
  CHECK(identical(Pending(x).value().value(), x));
}

TEST_CASE("a grid per channel, and other dtypes, are computed step by step") {
  const Tensor x = uniform({4, 3}, 1, -2, 2, DType::float32);
  const LearnedGrid grid{.step = Variable(Tensor::from({3}, {0.1F, 0.2F, 0.3F})), .lo = 0, .hi = 7};
  CHECK(
      identical(fake_quantize("grid", Pending(x).relu(), grid).value(), fake_quantize("grid", relu(x), grid).value()));
}

TEST_CASE("a pending normalisation is checked where it is asked for") {
  const Tensor x = Tensor::zeros({4, 3}), c = Tensor::zeros({3});
  const BatchStatistics statistics = batch_statistics(x);
  CHECK(error_of<ShapeError>([&] {
          Pending(x).batch_norm(statistics, Tensor::zeros({4}), c, 1e-3);
        }).find("gamma (4)") != std::string::npos);
  CHECK(error_of<ValueError>([&] { Pending(x).batch_norm(statistics, c, c, 0); }).find("epsilon is 0") !=
        std::string::npos);
  CHECK(error_of<ShapeError>([&] {
          batch_statistics(Tensor::zeros({1, 3}));
        }).find("two values per channel") != std::string::npos);
}
