#include <autograd/support.hpp>

#include <algorithm>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

ParameterPtr parameter(const std::string& name, const Tensor& value) {
  return std::make_shared<Parameter>(name, value.clone());
}

Tensor map_elements(const Tensor& x, const std::function<double(double)>& f) {
  Tensor y(x.shape(), x.dtype());
  std::transform(x.span<double>().begin(), x.span<double>().end(), y.span<double>().begin(), f);
  return y;
}

/// x * x with any gradient.
DifferentiableFunction square_with(const std::function<void(const Tensor& x, const Tensor& g, GradSink&)>& backward) {
  return [backward](const std::vector<Variable>& v) {
    const Tensor x = v[0].value();
    return record_operation("square", map_elements(x, [](double e) { return e * e; }), {v[0]},
                            [=](const Tensor& g, GradSink& sink) { backward(x, g, sink); });
  };
}

Tensor right_gradient(const Tensor& x, const Tensor& g) { return (Variable(g) * Variable(x) * 2.0).value(); }

}  // namespace

TEST_CASE("a right gradient passes, whatever the shape of the output") {
  const auto right =
      square_with([](const Tensor& x, const Tensor& g, GradSink& sink) { sink.add(0, right_gradient(x, g)); });
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}}) {
    const GradientReport report = check_gradients(right, {uniform(shape, 1)});
    CHECK(report.passed);
    CHECK(report.checked == shape.size());
    CHECK(report.max_relative_error < 1e-8);
  }
  CHECK_NOTHROW(require_gradients(right, {uniform({4}, 1)}));
}

TEST_CASE("wrong gradients are caught and the worst element is named") {
  const auto off = square_with([](const Tensor& x, const Tensor& g, GradSink& sink) {
    Tensor dx = right_gradient(x, g);
    dx.data<double>()[3] *= 1.001;
    sink.add(0, std::move(dx));
  });
  const GradientReport report = check_gradients(off, {Tensor::full({6}, 2, DType::float64)});
  CHECK_FALSE(report.passed);
  CHECK(report.worst_input == "input 0");
  CHECK(report.worst_element == 3);
  CHECK(report.max_relative_error == Approx(0.001).epsilon(0.01));
  CHECK(report.analytic == Approx(report.numeric * 1.001));
  CHECK_THAT(error_of<ValueError>([&] { require_gradients(off, {Tensor::full({6}, 2, DType::float64)}); }),
             Catch::Contains("element 3 of input 0"));
}

TEST_CASE("a gradient that overwrites instead of adding is caught") {
  const auto overwriting = square_with(
      [](const Tensor& x, const Tensor& g, GradSink& sink) { sink.buffer(0).copy_from(right_gradient(x, g)); });
  CHECK_FALSE(check_gradients(overwriting, {uniform({4}, 1)}).passed);
  const auto missing = square_with([](const Tensor&, const Tensor&, GradSink&) {});
  CHECK_FALSE(check_gradients(missing, {uniform({4}, 1)}).passed);
}

TEST_CASE("parameters are checked, named and left as they were") {
  const ParameterPtr good = parameter("conv/kernel", uniform({3}, 1)), bad = parameter("conv/bias", uniform({3}, 2));
  const auto f = [&](const std::vector<Variable>& v) {
    const Variable wrong = custom_op(
        "wrong", {variable_of(bad)}, [](const std::vector<Tensor>& x) { return x[0].clone(); },
        [](const CustomOpContext& c) {
          return std::vector<Tensor>{map_elements(c.output_gradient, [](double g) { return -g; })};
        });
    return variable_of(good) * v[0] + wrong;
  };
  good->gradient().fill(7);
  const GradientReport report = check_gradients(f, {uniform({3}, 3)}, {good, bad});
  CHECK_FALSE(report.passed);
  CHECK(report.worst_input == "conv/bias");
  CHECK(report.checked == 9);
  CHECK(identical(good->value(), uniform({3}, 1)));
  CHECK(identical(good->gradient(), Tensor::zeros({3}, DType::float64)));
  CHECK(check_gradients(f, {uniform({3}, 3)}, {good}).passed);
}

TEST_CASE("a random subset of elements") {
  Index wrong_found = 0;
  const auto half_wrong = square_with([](const Tensor& x, const Tensor& g, GradSink& sink) {
    Tensor dx = right_gradient(x, g);
    for (Index i = 0; i < 50; ++i) dx.data<double>()[i] += 1;
    sink.add(0, std::move(dx));
  });
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const GradientReport report =
        check_gradients(half_wrong, {uniform({100}, 1)}, {}, {.max_elements = 1, .seed = seed});
    CHECK(report.checked == 1);
    wrong_found += !report.passed;
  }
  CHECK(wrong_found > 5);
  CHECK(wrong_found < 35);
}

TEST_CASE("errors of the gradient check itself") {
  const auto identity = [](const std::vector<Variable>& v) { return v[0] * 1.0; };
  {
    const Tape tape;
    CHECK_THAT(error_of<StateError>([&] { check_gradients(identity, {uniform({2}, 1)}); }), Catch::Contains("tape"));
  }
  const ParameterPtr narrow = std::make_shared<Parameter>("w", Tensor::zeros({2}));
  CHECK_THAT(error_of<ShapeError>([&] { check_gradients(identity, {uniform({2}, 1)}, {narrow}); }),
             Catch::Contains("w is float32") && Catch::Contains("convert"));
  const auto fixed = std::make_shared<Parameter>("w", uniform({2}, 1), ParameterGroup::weights, false);
  CHECK_THROWS_AS(check_gradients(identity, {uniform({2}, 1)}, {fixed}), ValueError);
  std::uint64_t calls = 0;
  CHECK_THAT(error_of<StateError>([&] {
               check_gradients([&](const std::vector<Variable>& v) { return dropout(v[0], 0.5, ++calls); },
                               {uniform({50}, 1)});
             }),
             Catch::Contains("different outputs"));
  CHECK_THAT(error_of<ValueError>([&] {
               check_gradients([](const std::vector<Variable>& v) { return bitgrad::log(v[0]); },
                               {Tensor::from({2}, {1, -1})});
             }),
             Catch::Contains("element 1 of the output"));
  CHECK_THAT(error_of<ValueError>([&] {
               check_gradients([](const std::vector<Variable>& v) { return bitgrad::sqrt(v[0]); },
                               {Tensor::from({2}, {1, 0})});
             }),
             Catch::Contains("element 1 of the gradient of input 0"));
  // An exception in a perturbed pass leaves the parameter as it was.
  const ParameterPtr p = parameter("p", uniform({1}, 1));
  const double value = p->value().item();
  CHECK_THROWS_AS(check_gradients(
                      [&](const std::vector<Variable>&) {
                        if (p->value().item() != value) fail<StateError>("perturbed");
                        return variable_of(p) * 2.0;
                      },
                      {}, {p}),
                  StateError);
  CHECK(p->value().item() == value);
}

TEST_CASE("a replayed pass must make the recorded calls") {
  for (const int more : {1, -1}) {
    int calls = 0;
    const auto changing = [&](const std::vector<Variable>& v) {
      Variable y = relu(v[0]);
      const int count = ++calls > 2 ? 2 + more : 2;  // the first two calls record and differentiate
      for (int i = 1; i < count; ++i) y = relu(y);
      return y;
    };
    CHECK_THAT(error_of<StateError>([&] { check_gradients(changing, {uniform({2}, 1)}); }),
               Catch::Contains("replay: the perturbed pass makes"));
  }
  int calls = 0;
  CHECK_THAT(error_of<StateError>([&] {
               check_gradients(
                   [&](const std::vector<Variable>& v) {
                     const Variable y = ste_round(v[0]);
                     return ++calls > 2 ? sum(ste_round(reshape(v[0], {2, 1}))) : sum(y * 1.0 + 0.0 * ste_round(y));
                   },
                   {uniform({2}, 1)});
             }),
             Catch::Contains("was recorded with shape (2)"));
}
