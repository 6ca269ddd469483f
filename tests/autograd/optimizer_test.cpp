#include <autograd/support.hpp>

#include <limits>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/autograd/weight_average.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

NamedParameter named(const std::string& name, Tensor value, ParameterGroup group = ParameterGroup::weights) {
  return {name, std::make_shared<Parameter>("value", std::move(value), group)};
}

void set_gradient(const NamedParameter& p, const Tensor& gradient) { p.parameter->gradient().copy_from(gradient); }

double value_of(const NamedParameter& p) { return p.parameter->value().span<double>()[0]; }

/// One double parameter under constant gradients; returns its values after each step.
std::vector<double> trajectory(Optimizer& optimizer, const NamedParameter& p, const std::vector<double>& gradients) {
  std::vector<double> result;
  for (const double g : gradients) {
    set_gradient(p, Tensor::full({1}, g, DType::float64));
    optimizer.step();
    result.push_back(value_of(p));
  }
  return result;
}

NamedParameter number(double value) { return named("p", Tensor::full({1}, value, DType::float64)); }

}  // namespace

TEST_CASE("SGD by hand") {
  SECTION("plain") {
    const NamedParameter p = number(1);
    Sgd sgd({p}, {.learning_rate = 0.1});
    CHECK(near(trajectory(sgd, p, {2, -1}), {0.8, 0.9}));
  }
  SECTION("momentum: v = 2, then 0.5 * 2 - 1 = 0, then 3") {
    const NamedParameter p = number(1);
    Sgd sgd({p}, {.learning_rate = 0.1, .momentum = 0.5});
    CHECK(near(trajectory(sgd, p, {2, -1, 3}), {0.8, 0.8, 0.5}));
  }
  SECTION("Nesterov: steps g + 0.5 v = 2 + 1, -1 + 0, 3 + 1.5") {
    const NamedParameter p = number(1);
    Sgd sgd({p}, {.learning_rate = 0.1, .momentum = 0.5, .nesterov = true});
    CHECK(near(trajectory(sgd, p, {2, -1, 3}), {0.7, 0.8, 0.35}));
  }
  SECTION("weight decay enters the velocity: g = 2 + 0.5 * 1, then 0 + 0.5 * 0.75") {
    const NamedParameter p = number(1);
    Sgd sgd(std::vector<OptimizerGroup>{{{p}, {.weight_decay = 0.5}}}, {.learning_rate = 0.1, .momentum = 0.5});
    CHECK(near(trajectory(sgd, p, {2, 0}), {0.75, 0.75 - 0.1 * (0.5 * 2.5 + 0.375)}));
  }
  SECTION("learning rates: the optimizer's times the group's") {
    const NamedParameter p = number(1);
    Sgd sgd(std::vector<OptimizerGroup>{{{p}, {.learning_rate_scale = 0.1}}}, {.learning_rate = 1});
    CHECK(near(trajectory(sgd, p, {2}), {0.8}));
    sgd.set_learning_rate(0.5);
    CHECK(near(trajectory(sgd, p, {2}), {0.7}));
    sgd.set_group_options(0, {.learning_rate_scale = 1});
    CHECK(near(trajectory(sgd, p, {1}), {0.2}));
  }
}

TEST_CASE("Adam by hand") {
  SECTION("the first step is rate * sign(g)") {
    const NamedParameter p = number(1);
    Adam adam({p}, {.learning_rate = 0.1});
    CHECK(near(trajectory(adam, p, {1e-3}), {0.9}, 1e-5));
  }
  SECTION("three steps of algorithm 1") {
    const NamedParameter p = number(1);
    Adam adam({p}, {.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 0.01});
    const std::vector<double> found = trajectory(adam, p, {2, -1, 0.5});
    // m: 0.4, 0.12, 0.196; v: 0.4, 0.46, 0.439; corrections 0.2, 0.36, 0.488 and 0.1, 0.19, 0.271
    const double first = 1 - 0.1 * (0.4 / 0.2) / (std::sqrt(0.4 / 0.1) + 0.01);
    const double second = first - 0.1 * (0.12 / 0.36) / (std::sqrt(0.46 / 0.19) + 0.01);
    const double third = second - 0.1 * (0.196 / 0.488) / (std::sqrt(0.439 / 0.271) + 0.01);
    CHECK(near(found, {first, second, third}));
  }
  SECTION("weight decay is part of the gradient") {
    const NamedParameter p = number(1), q = number(1);
    Adam decayed(std::vector<OptimizerGroup>{{{p}, {.weight_decay = 0.5}}}, {.learning_rate = 0.1});
    Adam plain({q}, {.learning_rate = 0.1});
    CHECK(near(trajectory(decayed, p, {2, 1}), trajectory(plain, q, {2.5, 1 + 0.5 * 0.9}), 1e-8));
  }
}

TEST_CASE("AdamW by hand: the decay stays out of the moments") {
  const AdamOptions options{.learning_rate = 0.1, .beta1 = 0.8, .beta2 = 0.9, .epsilon = 0.01};
  const NamedParameter p = number(1), q = number(1);
  AdamW decayed(std::vector<OptimizerGroup>{{{p}, {.weight_decay = 0.5}}}, options);
  // the moments of "three steps of algorithm 1", each step behind a shrinking by 1 - 0.1 * 0.5
  const double first = 0.95 * 1 - 0.1 * (0.4 / 0.2) / (std::sqrt(0.4 / 0.1) + 0.01);
  const double second = 0.95 * first - 0.1 * (0.12 / 0.36) / (std::sqrt(0.46 / 0.19) + 0.01);
  CHECK(near(trajectory(decayed, p, {2, -1}), {first, second}));
  // without decay it is Adam, to the bit
  const NamedParameter r = number(1);
  AdamW plain(std::vector<OptimizerGroup>{{{q}}}, options);
  Adam adam({r}, options);
  CHECK(trajectory(plain, q, {2, -1, 0.5}) == trajectory(adam, r, {2, -1, 0.5}));
  // the group's rate takes part in the decay
  const NamedParameter s = number(1);
  AdamW scaled(std::vector<OptimizerGroup>{{{s}, {.learning_rate_scale = 0.5, .weight_decay = 0.5}}}, options);
  CHECK(near(trajectory(scaled, s, {2}), {0.975 - 0.05 * 2 / 2.01}));
}

TEST_CASE("RMSprop by hand") {
  SECTION("v = 1, and again") {
    const NamedParameter p = number(1);
    Rmsprop rmsprop({p}, {.learning_rate = 0.1, .smoothing = 0.75, .epsilon = 0.5});
    const double first = 1 - 0.1 * 2 / 1.5, second = first - 0.1 * -1 / (1 + 0.5);
    CHECK(near(trajectory(rmsprop, p, {2, -1}), {first, second}));
  }
  SECTION("momentum and decay: g = 2 + 0.5 * 1, v = 1.5625, b = 2.5 / 1.75") {
    const NamedParameter p = number(1);
    Rmsprop rmsprop(std::vector<OptimizerGroup>{{{p}, {.weight_decay = 0.5}}},
                    {.learning_rate = 0.1, .smoothing = 0.75, .epsilon = 0.5, .momentum = 0.5});
    const double b = 2.5 / 1.75, first = 1 - 0.1 * b, g = 0.5 * first;
    const double v = 0.75 * 1.5625 + 0.25 * g * g;
    CHECK(near(trajectory(rmsprop, p, {2, 0}), {first, first - 0.1 * (0.5 * b + g / (std::sqrt(v) + 0.5))}));
  }
}

TEST_CASE("an average of weights by hand, and what it gives back") {
  const NamedParameter p = number(0);
  const auto move_to = [&](double value) { p.parameter->value().fill(value); };
  WeightAverage average({p}, 0.25);
  move_to(11);
  average.update();  // d = 2 / 11: 0 + 9 / 11 * 11
  move_to(1);
  average.update();  // d = min(0.25, 3 / 12): 9 + 0.75 * (1 - 9)
  CHECK(value_of(p) == 1);
  const NamedTensors saved = average.state();
  average.apply();
  CHECK(value_of(p) == Approx(3));
  move_to(7);
  average.update();  // d = 0.25
  average.apply();
  CHECK(value_of(p) == Approx(6));

  WeightAverage resumed({p}, 0.25);
  resumed.load_state(saved);
  CHECK(identical(resumed.state(), saved));
  move_to(7);
  resumed.update();
  resumed.apply();
  CHECK(value_of(p) == Approx(6));

  CHECK_THROWS_AS(WeightAverage({p}, 1), ValueError);
  CHECK_THROWS_AS(WeightAverage({p}, -0.1), ValueError);
  CHECK_THAT(error_of<ValueError>([&] { resumed.load_state({}); }), Catch::Contains("'steps' is missing"));
  NamedTensors more = saved;
  more.add("q/average", Tensor::zeros({1}));
  CHECK_THAT(error_of<ValueError>([&] { resumed.load_state(more); }), Catch::Contains("unexpected 'q/average'"));
  const NamedTensors other{{"steps", Tensor::scalar(1, DType::int32)}, {"p/average", Tensor::zeros({2})}};
  CHECK_THAT(error_of<ShapeError>([&] { resumed.load_state(other); }), Catch::Contains("expected float64 (1)"));
}

TEST_CASE("parameters without a gradient and frozen ones stay as they are") {
  const NamedParameter used = named("used", Tensor::full({2}, 1)), unused = named("unused", Tensor::full({2}, 1)),
                       frozen = named("frozen", Tensor::full({2}, 1));
  Adam adam(std::vector<OptimizerGroup>{{{used, unused, frozen}, {.weight_decay = 0.1}}});
  set_gradient(used, Tensor::full({2}, 1));
  set_gradient(frozen, Tensor::full({2}, 1));
  frozen.parameter->set_trainable(false);
  adam.step();
  CHECK_FALSE(identical(used.parameter->value(), Tensor::full({2}, 1)));
  CHECK(identical(unused.parameter->value(), Tensor::full({2}, 1)));
  CHECK(identical(frozen.parameter->value(), Tensor::full({2}, 1)));
  // A parameter that joins later gets a first step of its own: rate * sign(g).
  set_gradient(unused, Tensor::full({2}, 3));
  adam.step();
  CHECK(unused.parameter->value().span<float>()[0] == Approx(0.999).epsilon(1e-6));
  adam.zero_gradient();
  CHECK(identical(used.parameter->gradient(), Tensor::zeros({2})));
}

TEST_CASE("the usual groups") {
  const NamedParameter kernel = named("conv/kernel", Tensor::zeros({3, 3, 1, 2})),
                       bias = named("conv/bias", Tensor::zeros({2})),
                       threshold = named("conv/kernel_threshold", Tensor::zeros({1, 1, 1, 2}), ParameterGroup::qparams);
  const auto names = [](const OptimizerGroup& group) {
    std::vector<std::string> result;
    for (const NamedParameter& p : group.parameters) result.push_back(p.name);
    return result;
  };
  const auto groups =
      group_parameters({kernel, bias, threshold}, {.weight_decay = 1e-4, .qparams_learning_rate_scale = 0.1});
  REQUIRE(groups.size() == 3);
  CHECK(names(groups[0]) == std::vector<std::string>{"conv/kernel"});
  CHECK(groups[0].options.weight_decay == 1e-4);
  CHECK(names(groups[1]) == std::vector<std::string>{"conv/bias"});
  CHECK(groups[1].options.weight_decay == 0);
  CHECK(names(groups[2]) == std::vector<std::string>{"conv/kernel_threshold"});
  CHECK(groups[2].options.weight_decay == 0);
  CHECK(groups[2].options.learning_rate_scale == 0.1);
  CHECK(group_parameters({bias}, {.weight_decay = 1e-4, .decay_vectors = true})[1].options.weight_decay == 1e-4);
  CHECK(names({select_parameters({kernel, bias}, [](const NamedParameter& p) { return p.name.ends_with("bias"); })}) ==
        std::vector<std::string>{"conv/bias"});
}

namespace {

/// A small regression: w and b of y = x w + b.
struct Problem {
  Problem() : w(named("w", uniform({3, 2}, 1, -1, 1, DType::float32))), b(named("b", Tensor::zeros({2}))) {
    y = (matmul(x, Tensor::from({3, 2}, {1, -2, 0.5f, 3, -1, 0})) + Tensor::from({2}, {0.5f, -0.25f})).value();
  }
  std::vector<NamedParameter> parameters() const { return {w, b}; }
  double train(Optimizer& optimizer, int steps) const {
    double last = 0;
    for (int i = 0; i < steps; ++i) {
      Tape tape;
      optimizer.zero_gradient();
      const Variable loss = mse(dense(x, variable_of(w.parameter), variable_of(b.parameter)), y);
      tape.backward(loss);
      optimizer.step();
      last = loss.value().item();
    }
    return last;
  }
  Tensor x = uniform({32, 3}, 2, -1, 1, DType::float32), y;
  NamedParameter w, b;
};

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(const std::vector<NamedParameter>&)>;
const std::pair<const char*, MakeOptimizer> optimizers[] = {
    {"sgd", [](const auto& p) { return std::make_unique<Sgd>(p, SgdOptions{.learning_rate = 0.3}); }},
    {"momentum",
     [](const auto& p) { return std::make_unique<Sgd>(p, SgdOptions{.learning_rate = 0.1, .momentum = 0.9}); }},
    {"nesterov",
     [](const auto& p) {
       return std::make_unique<Sgd>(p, SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
     }},
    {"adam",
     [](const auto& p) { return std::make_unique<Adam>(group_parameters(p, {}), AdamOptions{.learning_rate = 0.05}); }},
    {"adamw",
     [](const auto& p) {
       return std::make_unique<AdamW>(group_parameters(p, {.weight_decay = 1e-5}), AdamOptions{.learning_rate = 0.05});
     }},
    {"rmsprop", [](const auto& p) {
       return std::make_unique<Rmsprop>(p, RmspropOptions{.learning_rate = 3e-3, .momentum = 0.9});
     }}};

}  // namespace

TEST_CASE("optimizers solve a small problem") {
  for (const auto& [name, make] : optimizers) {
    INFO(name);
    const Problem problem;
    CHECK(problem.train(*make(problem.parameters()), 1) > 1);
    CHECK(problem.train(*make(problem.parameters()), 400) < 1e-5);
    CHECK(distance(problem.b.parameter->value(), Tensor::from({2}, {0.5f, -0.25f})) < 5e-3);
  }
}

TEST_CASE("a resumed training continues to the byte") {
  for (const auto& [name, make] : optimizers) {
    INFO(name);
    const Problem whole, first, second;
    whole.train(*make(whole.parameters()), 12);
    const auto before = make(first.parameters());
    first.train(*before, 5);
    const NamedTensors saved = before->state();
    second.w.parameter->assign(first.w.parameter->value());
    second.b.parameter->assign(first.b.parameter->value());
    first.train(*before, 1);  // the saved state is a copy
    const auto after = make(second.parameters());
    after->load_state(saved);
    CHECK(identical(after->state(), saved));
    second.train(*after, 7);
    CHECK(identical(whole.w.parameter->value(), second.w.parameter->value()));
    CHECK(identical(whole.b.parameter->value(), second.b.parameter->value()));
  }
}

TEST_CASE("a state of other parameters is refused and changes nothing") {
  const NamedParameter a = named("a", Tensor::zeros({2})), b = named("b", Tensor::zeros({3}));
  Sgd sgd({a}), other({b}), both({a, b});
  CHECK_THAT(error_of<ValueError>([&] { sgd.load_state(both.state()); }), Catch::Contains("Sgd: unexpected 'b/steps'"));
  CHECK_THAT(error_of<ValueError>([&] { both.load_state(sgd.state()); }), Catch::Contains("'b/steps' is missing"));
  set_gradient(a, Tensor::full({2}, 1));
  sgd.step();
  const NamedTensors before = sgd.state();
  Sgd longer({named("a", Tensor::zeros({4}))});
  CHECK_THAT(error_of<ShapeError>([&] { sgd.load_state(longer.state()); }),
             Catch::Contains("'a/velocity' in the state is float32 (4), expected float32 (2)"));
  NamedTensors negative{{"a/steps", Tensor::scalar(-1, DType::int32)}, {"a/velocity", Tensor::zeros({2})}};
  CHECK_THROWS_AS(sgd.load_state(negative), ValueError);
  CHECK(identical(sgd.state(), before));
}

TEST_CASE("illegal options of optimizers") {
  const NamedParameter p = number(1);
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  CHECK_THAT(error_of<ValueError>([&] { Sgd({p}, {.learning_rate = -1}); }),
             Catch::Contains("Sgd: learning rate is -1"));
  CHECK_THROWS_AS(Sgd({p}, {.learning_rate = nothing}), ValueError);
  CHECK_THROWS_AS(Sgd({p}, {.momentum = 1}), ValueError);
  CHECK_THROWS_AS(Sgd({p}, {.nesterov = true}), ValueError);
  CHECK_THROWS_AS(Adam({p}, {.beta1 = 1}), ValueError);
  CHECK_THROWS_AS(Adam({p}, {.beta2 = -0.1}), ValueError);
  CHECK_THROWS_AS(Adam({p}, {.epsilon = 0}), ValueError);
  CHECK_THAT(error_of<ValueError>([&] { AdamW({{{p}}}, {.beta1 = 1}); }), Catch::Contains("AdamW: beta1 is 1"));
  CHECK_THROWS_AS(Rmsprop({p}, {.smoothing = 1}), ValueError);
  CHECK_THROWS_AS(Rmsprop({p}, {.momentum = 1}), ValueError);
  CHECK_THROWS_AS(Rmsprop({p}, {.epsilon = 0}), ValueError);
  CHECK_THROWS_AS(Sgd(group_parameters({p}, {.weight_decay = -1, .decay_vectors = true})), ValueError);
  CHECK_THAT(error_of<ValueError>([&] { Sgd({p, p}); }), Catch::Contains("p is listed twice"));
  CHECK_THAT(error_of<ValueError>([&] { Sgd({p, number(2)}); }), Catch::Contains("two parameters are named p"));
  CHECK_THROWS_AS(Sgd(std::vector<OptimizerGroup>{{{{"q", nullptr}}}}), ValueError);
  Sgd sgd({p});
  CHECK_THROWS_AS(sgd.set_learning_rate(nothing), ValueError);
  CHECK_THROWS_AS(sgd.set_group_options(3, {}), ValueError);
  CHECK_THROWS_AS(sgd.set_group_options(0, {.weight_decay = nothing}), ValueError);
}

TEST_CASE("clipping gradients") {
  const NamedParameter a = named("a", Tensor::zeros({2})), b = named("b", Tensor::zeros({1}, DType::float64)),
                       c = named("c", Tensor::zeros({1}));
  const auto set = [&] {
    set_gradient(a, Tensor::from({2}, {3, -4}));
    set_gradient(b, Tensor::full({1}, 12, DType::float64));
  };
  set();
  CHECK(clip_gradient_norm({a, b, c}, 26) == Approx(13));
  CHECK(identical(a.parameter->gradient(), Tensor::from({2}, {3, -4})));
  CHECK(clip_gradient_norm({a, b, c}, 6.5) == Approx(13));
  CHECK(identical(a.parameter->gradient(), Tensor::from({2}, {1.5f, -2})));
  CHECK(b.parameter->gradient().item() == 6);
  CHECK_FALSE(c.parameter->has_gradient());
  set();
  clip_gradient_value({a, b, c}, 3.5);
  CHECK(identical(a.parameter->gradient(), Tensor::from({2}, {3, -3.5f})));
  CHECK(b.parameter->gradient().item() == 3.5);
  set_gradient(a, Tensor::full({2}, std::numeric_limits<double>::infinity()));
  CHECK_THAT(error_of<ValueError>([&] {
               clip_gradient_norm({b, a}, 1);
             }),
             Catch::Contains("gradient of a is not finite"));
  CHECK(b.parameter->gradient().item() == 3.5);
  CHECK_THROWS_AS(clip_gradient_norm({a}, 0), ValueError);
  CHECK_THROWS_AS(clip_gradient_value({a}, -1), ValueError);
}

TEST_CASE("a parameter may say how far is far, and its copies say the same") {
  Parameter p("offset", Tensor::zeros({2}), ParameterGroup::qparams, false);
  CHECK_FALSE(p.unit().has_value());
  p.set_unit(0.25);
  const ParameterPtr copy = p.clone();
  CHECK(copy->unit() == 0.25);
  CHECK(copy->name() == "offset");
  CHECK(copy->group() == ParameterGroup::qparams);
  CHECK_FALSE(copy->trainable());
  copy->value().fill(1);
  CHECK(p.value().span<float>()[0] == 0);
  for (const double bad :
       {0.0, -1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_WITH(p.set_unit(bad), Catch::Contains("parameter offset: the unit is"));
}
