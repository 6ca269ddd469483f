#include <autograd/support.hpp>

#include <limits>
#include <thread>

#include <bitgrad/autograd/accumulate.hpp>
#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

ParameterPtr parameter(const Tensor& value, const std::string& name = "w") {
  return std::make_shared<Parameter>(name, value.clone());
}
Tensor tensor(std::initializer_list<float> values) { return Tensor::from({static_cast<Index>(values.size())}, values); }

}  // namespace

TEST_CASE("backward adds up along the graph") {
  const ParameterPtr w = parameter(tensor({2, 3}));
  Tape tape;
  const Variable x = tape.watch(tensor({5, 7}));
  const Variable product = variable_of(w) * x;             // used twice
  const Variable loss = sum(product * product + product);  // d/dproduct = 2 p + 1
  tape.backward(loss);
  CHECK(identical(tape.gradient(x), tensor({2 * 21, 3 * 43})));
  CHECK(identical(w->gradient(), tensor({5 * 21, 7 * 43})));
}

TEST_CASE("a parameter used twice is one leaf, and gradients of several tapes add up") {
  const ParameterPtr w = parameter(tensor({2, 3}));
  for (int pass = 0; pass < 2; ++pass) {
    Tape tape;
    const Variable a = variable_of(w), b = variable_of(w);
    CHECK(tape.size() == 1);
    tape.backward(sum(a * b));  // w^2
  }
  CHECK(identical(w->gradient(), tensor({8, 12})));
  w->zero_gradient();
  CHECK(identical(w->gradient(), tensor({0, 0})));
}

TEST_CASE("backward from any output with a seed") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 2}));
  const Variable y = x * 3.0;
  const Variable later = y * y;  // recorded after y, not part of it
  tape.backward(y, tensor({10, -1}));
  CHECK(identical(tape.gradient(x), tensor({30, -3})));
  CHECK(later.recorded());
}

TEST_CASE("a leaf that the output does not depend on has gradient zero") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 2})), unused = tape.watch(tensor({4}));
  tape.backward(sum(x));
  CHECK(identical(tape.gradient(unused), tensor({0})));
}

TEST_CASE("nothing is recorded without a tape, for constants and for frozen parameters") {
  const ParameterPtr w = parameter(tensor({2}));
  CHECK_FALSE((variable_of(w) * 2.0).recorded());
  Tape tape;
  CHECK_FALSE((Variable(tensor({1})) * 2.0).recorded());
  w->set_trainable(false);
  CHECK_FALSE(variable_of(w).recorded());
  CHECK(tape.size() == 0);
  CHECK_FALSE((tape.watch(tensor({1})) * 2.0).detach().recorded());
}

TEST_CASE("a tape is the thread's own") {
  const Tape tape;
  bool seen = true;
  std::thread([&] { seen = Tape::current() != nullptr; }).join();
  CHECK_FALSE(seen);
}

TEST_CASE("nested tapes record apart from each other") {
  Tape outer;
  const Variable x = outer.watch(tensor({3}));
  const Variable y = x * x;
  {
    Tape inner;
    CHECK(Tape::current() == &inner);
    const Variable z = inner.watch(y.value());
    inner.backward(z * z);
    CHECK(identical(inner.gradient(z), tensor({18})));
    CHECK_THAT(error_of<StateError>([&] { x * 2.0; }), Catch::Contains("mul") && Catch::Contains("another tape"));
    CHECK_NOTHROW(x.detach() * 2.0);
  }
  CHECK(Tape::current() == &outer);
  outer.backward(y);
  CHECK(identical(outer.gradient(x), tensor({6})));
}

TEST_CASE("a wrong call of backward or gradient says what to do") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 2}));
  const Variable loss = sum(x * x);
  CHECK_THAT(error_of<StateError>([&] { tape.backward(Tensor::scalar(1)); }),
             Catch::Contains("not recorded on a tape"));
  CHECK_THROWS_AS(tape.backward(Variable()), StateError);
  CHECK_THAT(error_of<ShapeError>([&] { tape.backward(x * x); }), Catch::Contains("the loss has shape (2)"));
  CHECK_THAT(error_of<ShapeError>([&] { tape.backward(x, tensor({1})); }),
             Catch::Contains("the seed is float32 (1), expected float32 (2)"));
  CHECK_THROWS_AS(tape.backward(x, Tensor::zeros({2}, DType::float64)), ShapeError);
  CHECK_THAT(error_of<StateError>([&] { tape.gradient(x); }), Catch::Contains("backward() has not run"));
  CHECK_THROWS_AS(tape.gradient(loss), StateError);
  CHECK_THROWS_AS(tape.gradient(tensor({1})), StateError);
  tape.backward(loss);
  CHECK(identical(tape.gradient(x), tensor({2, 4})));
  CHECK_THAT(error_of<StateError>([&] { tape.backward(loss); }), Catch::Contains("already used"));
}

TEST_CASE("a variable of a tape that is gone or of another one") {
  Variable old;
  {
    Tape tape;
    old = tape.watch(tensor({1}));
  }
  CHECK_THAT(error_of<StateError>([&] { old * 2.0; }), Catch::Contains("mul") && Catch::Contains("detach()"));
  Tape tape;
  CHECK_THAT(error_of<StateError>([&] { old * 2.0; }), Catch::Contains("another tape"));
  CHECK_THROWS_AS(tape.backward(old), StateError);
  CHECK_THROWS_AS(tape.gradient(old), StateError);
}

TEST_CASE("dump lists the operations with scopes, shapes and inputs") {
  Tape tape;
  const Variable x = tape.watch(Tensor::zeros({2, 3}), "image");
  Variable y;
  {
    const Tape::Scope block("block1");
    {
      const Tape::Scope layer("dense2");
      y = matmul(x, variable_of(parameter(Tensor::zeros({3, 4}), "kernel"))) + Tensor::zeros({4});
    }
    y = relu(y);
  }
  sum(y);
  CHECK(tape.dump() ==
        "%0 = image float32 (2, 3)\n"
        "%1 = block1/dense2/kernel float32 (3, 4)\n"
        "%2 = block1/dense2/matmul float32 (2, 4) %0 %1\n"
        "%3 = block1/dense2/add float32 (2, 4) %2 constant\n"
        "%4 = block1/relu float32 (2, 4) %3\n"
        "%5 = sum float32 () %4\n");
}

TEST_CASE("check_finite names the operation, its place and the element") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 0, -1}));
  CHECK_NOTHROW(bitgrad::log(x));
  tape.check_finite(true);
  const Tape::Scope block("block1");
  CHECK_THAT(error_of<ValueError>([&] { bitgrad::log(x); }), Catch::Contains("block1/log") &&
                                                                 Catch::Contains("element 1") &&
                                                                 Catch::Contains("(3)") && Catch::Contains("-inf"));
  CHECK_NOTHROW(x * 2.0);
  tape.check_finite(false);
  CHECK_NOTHROW(bitgrad::log(x));
}

TEST_CASE("the gradient sink adds, checks and knows what is wanted") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 2}));
  SECTION("several additions to the same input") {
    const Variable y = record_operation("op", tensor({0, 0}), {x, x}, [](const Tensor& g, GradSink& sink) {
      sink.add(0, g);
      sink.add(1, tensor({10, 10}));
      sink.buffer(0).span<float>()[0] += 100;
    });
    tape.backward(y, tensor({1, 2}));
    CHECK(identical(tape.gradient(x), tensor({111, 12})));
  }
  SECTION("a gradient that somebody else holds is copied") {
    const Tensor held = tensor({1, 1});
    const Variable first = record_operation("first", tensor({0, 0}), {x}, [&](const Tensor&, GradSink& sink) {
      sink.add(0, tensor({5, 5}));
    });
    const Variable y = record_operation("second", tensor({0, 0}), {x, first}, [&](const Tensor&, GradSink& sink) {
      sink.add(0, held);
      sink.add(1, held);
    });
    tape.backward(y, tensor({0, 0}));
    CHECK(identical(held, tensor({1, 1})));
    CHECK(identical(tape.gradient(x), tensor({6, 6})));
  }
  SECTION("constants are not wanted and additions to them are ignored") {
    bool wanted = true;
    const Variable y =
        record_operation("op", tensor({0}), {x, Variable(tensor({1}))}, [&](const Tensor&, GradSink& sink) {
          wanted = sink.wants(1);
          CHECK(sink.wants(0));
          sink.add(1, tensor({1, 2, 3}));
          sink.add(0, tensor({1, 1}));
        });
    tape.backward(y);
    CHECK_FALSE(wanted);
  }
  SECTION("a wrong shape or dtype") {
    const auto run = [&](const Tensor& gradient) {
      Tape inner;
      const Variable leaf = inner.watch(tensor({1, 2}));
      const Tape::Scope block("block1");
      inner.backward(
          record_operation("op", tensor({0}), {leaf}, [&](const Tensor&, GradSink& sink) { sink.add(0, gradient); }));
    };
    CHECK_THAT(error_of<ShapeError>([&] { run(tensor({1})); }),
               Catch::Contains("block1/op: gradient of input 0 is float32 (1), expected float32 (2)"));
    CHECK_THAT(error_of<ShapeError>([&] { run(Tensor::zeros({2}, DType::float64)); }),
               Catch::Contains("float64 (2), expected float32 (2)"));
    CHECK_NOTHROW(run(tensor({1, 2})));
  }
}

TEST_CASE("custom operations") {
  const CustomForward cube = [](const std::vector<Tensor>& x) { return (Variable(x[0]) * x[0] * x[0]).value(); };
  const CustomBackward right = [](const CustomOpContext& c) {
    return std::vector<Tensor>{(Variable(c.output_gradient) * c.inputs[0] * c.inputs[0] * 3.0).value()};
  };
  check_gradient([&](const std::vector<Variable>& v) { return custom_op("cube", v, cube, right); }, {uniform({3}, 1)});
  const auto run = [&](const CustomBackward& backward) {
    Tape tape;
    const Variable x = tape.watch(tensor({1, 2}));
    const Variable y = custom_op("cube", {x}, cube, backward);
    tape.backward(y, tensor({1, 1}));
    return tape.gradient(x);
  };
  CHECK(identical(run(right), tensor({3, 12})));
  CHECK(identical(run([](const CustomOpContext&) { return std::vector<Tensor>{Tensor()}; }),
                  tensor({0, 0})));  // undefined: zeros
  CHECK_THAT(error_of<ShapeError>([&] { run([](const CustomOpContext&) { return std::vector<Tensor>{}; }); }),
             Catch::Contains("cube: backward returned 0 gradients, expected 1"));
  CHECK_THAT(
      error_of<ShapeError>([&] { run([](const CustomOpContext&) { return std::vector<Tensor>{tensor({1})}; }); }),
      Catch::Contains("cube: gradient of input 0 is float32 (1), expected float32 (2)"));
  CHECK_THAT(error_of<ValueError>([&] {
               custom_op(
                   "nothing", {}, [](const std::vector<Tensor>&) { return Tensor(); }, right);
             }),
             Catch::Contains("nothing") && Catch::Contains("undefined"));
}

TEST_CASE("memory of operations is freed as backward passes them") {
  Tape tape;
  const Variable x = tape.watch(Tensor::full({1 << 16}, 1));
  std::weak_ptr<int> saved;
  Variable loss;
  {
    const auto token = std::make_shared<int>(1);
    saved = token;
    loss = sum(
        record_operation("op", x.value().clone(), {x}, [token](const Tensor& g, GradSink& sink) { sink.add(0, g); }));
  }
  CHECK_FALSE(saved.expired());
  tape.backward(loss);
  CHECK(saved.expired());
}

TEST_CASE("gradients that were passed on are not changed by what is added elsewhere") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 2})), y = tape.watch(tensor({3, 4})), z = tape.watch(tensor({5, 6}));
  const Tensor seed = tensor({10, 20});
  const Variable sum_of_two = x + y;        // passes its gradient to both
  tape.backward(sum_of_two + x + z, seed);  // and x gets another one
  CHECK(identical(tape.gradient(x), tensor({20, 40})));
  CHECK(identical(tape.gradient(y), seed));
  CHECK(identical(tape.gradient(z), seed));
  tape.gradient(y).fill(0);
  CHECK(identical(tape.gradient(z), tensor({10, 20})));
  CHECK(identical(seed, tensor({10, 20})));
}

TEST_CASE("a target is new memory the first time and what is there the second time") {
  Tape tape;
  const Variable x = tape.watch(tensor({1, 2}));
  std::vector<kernels::Store> stores;
  const auto op = [&](float value) {
    return record_operation("op", x.value().clone(), {x}, [&stores, value](const Tensor&, GradSink& sink) {
      GradTarget target = sink.target(0);
      stores.push_back(target.store);
      for (float& element : target.gradient.span<float>())
        element = (target.store == kernels::Store::add ? element : 0) + value;
    });
  };
  tape.backward(sum(op(1) + op(2)));
  CHECK(stores == std::vector{kernels::Store::overwrite, kernels::Store::add});
  CHECK(identical(tape.gradient(x), tensor({3, 3})));
}

TEST_CASE("parameters") {
  CHECK_THAT(error_of<ShapeError>([] { Parameter("conv/kernel", Tensor::zeros({2}, DType::int32)); }),
             Catch::Contains("conv/kernel") && Catch::Contains("int32"));
  CHECK_THAT(error_of<ValueError>([] { Parameter("conv/kernel", Tensor()); }), Catch::Contains("undefined"));
  Parameter p("w", tensor({1, 2}), ParameterGroup::qparams);
  CHECK(p.group() == ParameterGroup::qparams);
  CHECK_FALSE(p.has_gradient());
  CHECK_THAT(error_of<ShapeError>([&] { p.assign(tensor({1})); }),
             Catch::Contains("parameter w: assigned float32 (1), expected float32 (2)"));
  CHECK_THAT(error_of<ShapeError>([&] { p.accumulate(tensor({1})); }),
             Catch::Contains("parameter w: gradient is float32 (1)"));
  p.accumulate(tensor({1, 2}));
  p.accumulate(tensor({1, 2}));
  CHECK(identical(p.gradient(), tensor({2, 4})));
  const Tensor handle = p.value();
  p.assign(tensor({5, 6}));
  CHECK(identical(handle, tensor({5, 6})));
  p.convert(DType::float64);
  CHECK(p.value().dtype() == DType::float64);
  CHECK_FALSE(p.has_gradient());
  Tensor sum_of = tensor({1});
  CHECK_THROWS_AS(add_into(sum_of, tensor({1, 2})), ShapeError);
  CHECK_THROWS_AS(add_into(sum_of, Tensor::zeros({1}, DType::float64)), ShapeError);
}
