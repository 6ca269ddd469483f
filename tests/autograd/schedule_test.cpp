#include <autograd/support.hpp>

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
  CHECK_THROWS_AS(cosine_schedule(1, 0), ValueError);
  CHECK_THROWS_AS(cosine_schedule(1, 5, -1), ValueError);
  CHECK_THROWS_AS(constant_schedule(1).with_warmup(-1), ValueError);
  CHECK_THROWS_AS(constant_schedule(1).then(-1, constant_schedule(1)), ValueError);
  CHECK_THAT(error_of<ValueError>([] { constant_schedule(1).at(-3); }), Catch::Contains("step is -3"));
}
