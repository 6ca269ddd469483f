#include <autograd/support.hpp>

#include <algorithm>
#include <chrono>
#include <thread>

#include <bitgrad/autograd/custom_op.hpp>
#include <bitgrad/autograd/operation_timer.hpp>
#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

using Clock = std::chrono::steady_clock;

/// An operation that takes so long, forward and backward.
Variable slow(const char* name, const Variable& x, std::chrono::milliseconds forward,
              std::chrono::milliseconds backward) {
  return custom_op(
      name, {x},
      [=](const std::vector<Tensor>& inputs) {
        std::this_thread::sleep_for(forward);
        return inputs[0].clone();
      },
      [=](const CustomOpContext& context) {
        std::this_thread::sleep_for(backward);
        return std::vector<Tensor>{context.output_gradient};
      });
}

const OperationTime& of(const OperationTimer& timer, const std::string& path) {
  const auto found = std::ranges::find(timer.operations(), path, &OperationTime::path);
  REQUIRE(found != timer.operations().end());
  return *found;
}

}  // namespace

TEST_CASE("the timer gives every operation its own time, and all of them together make up the tape's") {
  using std::chrono::milliseconds;
  OperationTimer timer;
  const auto w = std::make_shared<Parameter>("w", Tensor::full({3}, 2));
  const Clock::time_point begin = Clock::now();
  {
    Tape tape;
    const Tape::Scope scope("block");
    const Variable a = slow("first", variable_of(w), milliseconds(30), milliseconds(5));
    tape.backward(sum(slow("second", a, milliseconds(5), milliseconds(40))));
  }
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();

  const OperationTime &first = of(timer, "block/first"), &second = of(timer, "block/second");
  CHECK(first.name() == "first");
  CHECK(first.forward_seconds >= 0.030);
  CHECK(first.backward_seconds >= 0.005);
  CHECK(second.forward_seconds >= 0.005);
  CHECK(second.backward_seconds >= 0.040);
  CHECK(of(timer, "block/sum").calls == 1);
  CHECK(of(timer, "leaves").calls == 0);

  const double in_tape = std::chrono::duration<double>(timer.last_event() - timer.began()).count();
  CHECK(timer.seconds() == Approx(in_tape).epsilon(1e-9));
  CHECK(timer.seconds() <= elapsed);
  CHECK(timer.began() >= begin);
}

TEST_CASE("what happens before backward() reaches an operation is not that operation's time") {
  using std::chrono::milliseconds;
  OperationTimer timer;
  Tape tape;
  const Variable y = slow("slow", tape.watch(Tensor::full({3}, 2)), milliseconds(1), milliseconds(1));
  std::this_thread::sleep_for(milliseconds(300));
  tape.backward(y, Tensor::full({3}, 1));
  CHECK(of(timer, "slow").backward_seconds < 0.3);
  CHECK(of(timer, "leaves").backward_seconds >= 0.3);
}

TEST_CASE("the timer sees shapes and which gradients are wanted, and adds up over tapes") {
  OperationTimer timer;
  const auto w = std::make_shared<Parameter>("w", Tensor::full({3, 5}, 2));
  for (const Index rows : {2, 4}) {
    Tape tape;
    tape.backward(sum(matmul(Tensor::full({rows, 3}, 1), variable_of(w))));
  }
  const OperationTime& product = of(timer, "matmul");
  CHECK(product.calls == 2);
  CHECK(product.output == Shape{4, 5});
  CHECK(product.inputs == std::vector<Shape>{{4, 3}, {3, 5}});
  CHECK(product.gradient_wanted == std::vector<bool>{false, true});
  CHECK(timer.seconds() > 0);
  timer.reset();
  CHECK(timer.seconds() == 0);
  CHECK(of(timer, "matmul").calls == 0);
}

TEST_CASE("what a backward pass computes with constants is part of that pass, not an operation") {
  OperationTimer timer;
  Tape tape;
  const Variable x = tape.watch(Tensor::full({4}, 3));
  tape.backward(sum(custom_op(
      "square", {x}, [](const std::vector<Tensor>& in) { return (Variable(in[0]) * in[0]).value(); },
      [](const CustomOpContext& c) {
        return std::vector<Tensor>{(Variable(c.inputs[0]) * 2.0 * c.output_gradient).value()};
      })));
  CHECK(timer.operations().size() == 3);  // square, sum, leaves
  CHECK(identical(tape.gradient(x), Tensor::full({4}, 6)));
}

TEST_CASE("observers nest and see only what their thread does") {
  OperationTimer outer;
  CHECK(TapeObserver::current() == &outer);
  {
    OperationTimer inner;
    CHECK(TapeObserver::current() == &inner);
    Tape tape;
    tape.backward(sum(tape.watch(Tensor::full({2}, 1))));
    CHECK(of(inner, "sum").calls == 1);
  }
  CHECK(TapeObserver::current() == &outer);
  CHECK(outer.operations().empty());
  const TapeObserver* elsewhere = &outer;
  std::thread([&] {
    elsewhere = TapeObserver::current();
    Tape tape;
    tape.backward(sum(tape.watch(Tensor::full({2}, 1))));
  }).join();
  CHECK(elsewhere == nullptr);
  CHECK(outer.operations().empty());
}

TEST_CASE("gradients are the same bytes with and without a timer") {
  const auto gradients = [] {
    const auto w = std::make_shared<Parameter>("w", Tensor::from({2, 2}, {0.1F, -0.7F, 0.3F, 0.9F}));
    Tape tape;
    const Variable x = tape.watch(Tensor::from({3, 2}, {1, 2, 3, 4, 5, 6}));
    tape.backward(sum(relu(matmul(x, variable_of(w))) * 0.3));
    return std::vector<Tensor>{tape.gradient(x), w->gradient()};
  };
  const std::vector<Tensor> plain = gradients();
  OperationTimer timer;
  const std::vector<Tensor> timed = gradients();
  CHECK_FALSE(timer.operations().empty());
  for (std::size_t i = 0; i < plain.size(); ++i) CHECK(identical(plain[i], timed[i]));
}
