#include <autograd/support.hpp>

#include <bitgrad/autograd/reduce_on_plateau.hpp>
#include <bitgrad/autograd/schedule.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {
std::vector<double> values(const Schedule& schedule, const std::vector<Index>& steps) {
  std::vector<double> result;
  for (const Index step : steps) result.push_back(schedule.at(step));
  return result;
}
}  // namespace

TEST_CASE("schedules by hand") {
  CHECK(values(constant_schedule(0.1), {0, 1000000}) == std::vector<double>{0.1, 0.1});
  CHECK(values(step_schedule(1, {10, 20}, 0.5), {0, 9, 10, 19, 20, 100}) ==
        std::vector<double>{1, 1, 0.5, 0.5, 0.25, 0.25});
  CHECK(values(step_schedule(1, {}), {0, 9}) == std::vector<double>{1, 1});
  const double quarter = (1 + std::sqrt(0.5)) / 2;
  CHECK(near(values(cosine_schedule(1, 8), {0, 2, 4, 8, 9}), {1, quarter, 0.5, 0, 0}));
  CHECK(near(values(cosine_schedule(1, 8, 0.5), {0, 2, 4, 8, 9}), {1, 0.5 + quarter / 2, 0.75, 0.5, 0.5}));
}

TEST_CASE("one cycle and exponential decay by hand") {
  CHECK(near(values(exponential_schedule(0.8, 0.5), {0, 1, 3}), {0.8, 0.4, 0.1}));
  CHECK(values(exponential_schedule(0.8, 1), {0, 7}) == std::vector<double>{0.8, 0.8});
  // 20 steps: up over 6, down over 14
  const Schedule cycle = one_cycle_schedule(1, 20);
  CHECK(near(values(cycle, {0, 3, 6, 13, 20, 30}), {0.04, 0.52, 1, (1 + 4e-6) / 2, 4e-6, 4e-6}));
  CHECK(cycle.at(5) < 1);
  CHECK(cycle.at(7) < 1);
  CHECK(near(values(one_cycle_schedule(1, 1), {0, 1}), {1, 4e-6}));  // no step to rise over
}

TEST_CASE("a plateau reduces the rate after more than the patience, and a better loss starts anew") {
  ReduceOnPlateau plateau({.factor = 0.5, .patience = 1, .threshold = 0.1});
  std::vector<double> factors;
  // 1 is the first; 0.95 is no improvement by a tenth, 0.8 is; then three that are not, and one more
  for (const double loss : {1.0, 0.95, 0.8, 0.79, 0.75, 0.9, 0.8}) {
    plateau.observe(loss);
    factors.push_back(plateau.factor());
  }
  CHECK(factors == std::vector<double>{1, 1, 1, 1, 0.5, 0.5, 0.25});
}

TEST_CASE("a plateau continues from its state") {
  const PlateauOptions options{.factor = 0.5, .patience = 1};
  ReduceOnPlateau whole(options), first(options), second(options);
  first.observe(1);
  first.observe(1);
  second.load_state(first.state());
  for (const double loss : {1.0, 1.0}) whole.observe(loss);
  whole.observe(2), second.observe(2);
  CHECK(whole.factor() == 0.5);
  CHECK(identical(whole.state(), second.state()));
  ReduceOnPlateau untouched(options);
  second.load_state(untouched.state());  // before the first epoch: the best is infinite
  CHECK(second.factor() == 1);

  CHECK_THAT(error_of<ValueError>([&] { second.load_state({}); }), Catch::Contains("'factor' is missing"));
  NamedTensors wrong{{"factor", Tensor::scalar(2, DType::float64)},
                     {"best", Tensor::scalar(1, DType::float64)},
                     {"bad_epochs", Tensor::scalar(0, DType::int32)}};
  CHECK_THAT(error_of<ValueError>([&] { second.load_state(wrong); }), Catch::Contains("is 2, expected 0 to 1"));
  wrong.at("factor").fill(1);
  wrong.at("bad_epochs").fill(2);
  CHECK_THAT(error_of<ValueError>([&] { second.load_state(wrong); }), Catch::Contains("is 2, expected 0 to 1"));
  CHECK_THROWS_AS(second.observe(std::nan("")), ValueError);
  CHECK_THROWS_AS(ReduceOnPlateau({.factor = 1}), ValueError);
  CHECK_THROWS_AS(ReduceOnPlateau({.patience = -1}), ValueError);
  CHECK_THROWS_AS(ReduceOnPlateau({.threshold = 1}), ValueError);
}

TEST_CASE("warm-up and composition") {
  CHECK(values(constant_schedule(1).with_warmup(4), {0, 1, 3, 4, 5}) == std::vector<double>{0.25, 0.5, 1, 1, 1});
  CHECK(values(constant_schedule(1).with_warmup(0), {0, 1}) == std::vector<double>{1, 1});
  const Schedule cosine = cosine_schedule(1, 8);
  CHECK(near(values(cosine.with_warmup(2), {0, 1, 2, 6, 10}), {0.5, 1, 1, 0.5, 0}));
  CHECK(near(values(constant_schedule(1).then(3, step_schedule(0.5, {2}, 0.1)), {0, 2, 3, 4, 5}),
             {1, 1, 0.5, 0.5, 0.05}));
  CHECK(Schedule([](Index step) { return 1.0 / static_cast<double>(step + 1); }).at(3) == 0.25);
}

TEST_CASE("illegal schedules") {
  CHECK_THROWS_AS(constant_schedule(-1), ValueError);
  CHECK_THROWS_AS(constant_schedule(std::nan("")), ValueError);
  CHECK_THROWS_AS(step_schedule(1, {5, 5}), ValueError);
  CHECK_THROWS_AS(step_schedule(1, {-1}), ValueError);
  CHECK_THROWS_AS(step_schedule(1, {5}, 0), ValueError);
  CHECK_THROWS_AS(exponential_schedule(1, 0), ValueError);
  CHECK_THROWS_AS(exponential_schedule(1, 1.1), ValueError);
  CHECK_THROWS_AS(one_cycle_schedule(1, 0), ValueError);
  CHECK_THROWS_AS(one_cycle_schedule(-1, 5), ValueError);
  CHECK_THROWS_AS(cosine_schedule(1, 0), ValueError);
  CHECK_THROWS_AS(cosine_schedule(1, 5, -1), ValueError);
  CHECK_THROWS_AS(constant_schedule(1).with_warmup(-1), ValueError);
  CHECK_THROWS_AS(constant_schedule(1).then(-1, constant_schedule(1)), ValueError);
  CHECK_THAT(error_of<ValueError>([] { constant_schedule(1).at(-3); }), Catch::Contains("step is -3"));
}
