// The loss at rising learning rates, and what follows from it.
#include <bitgrad/qat/learning_rate_range.hpp>

#include <catch2/catch.hpp>
#include <cmath>

#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/tiny_data.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;

namespace {

/// A third of the labels is wrong: without them the loss is 0 before any rate is too high.
data::Dataset mislabelled() {
  data::Dataset dataset = support::tiny_dataset(128);
  for (std::size_t i = 0; i < 128; i += 3) {
    std::int32_t& label = dataset.labels.span<std::int32_t>()[i];
    label = (label + 1) % 4;
  }
  return dataset;
}

Model build() { return models::make("mlp", {8, 8, 1}, 4).build({8, 8, 1}, 1); }

}  // namespace

TEST_CASE("rates rise by one factor, losses are smoothed, and the test ends when they explode") {
  const data::Dataset dataset = mislabelled();
  const Model model = build();
  const NamedTensors before = model.state_dict();
  const RateRangeOptions range{.from = 1e-6, .to = 1e3, .steps = 200};
  const TrainingOptions options{.batch = 32, .optimizer = "sgd"};
  const RateRange result = learning_rate_range(model, dataset, options, range);
  CHECK(identical(model.state_dict(), before));
  CHECK(result.exploded);
  REQUIRE(result.steps.size() > 50);
  CHECK(result.steps.size() < 200);
  CHECK(result.steps[0].rate == Approx(1e-6));
  double average = 0;
  for (std::size_t i = 0; i < result.steps.size(); ++i) {
    CHECK(result.steps[i].rate == Approx(1e-6 * std::pow(1e9, static_cast<double>(i) / 199)));
    average = 0.9 * average + 0.1 * result.steps[i].loss;
    CHECK(result.steps[i].smoothed == Approx(average / (1 - std::pow(0.9, static_cast<double>(i + 1)))));
  }
  CHECK(result.steps[0].loss == Approx(result.steps[0].smoothed));
  // The lowest point, from the table alone.
  std::size_t lowest = 9;
  for (std::size_t i = 9; i < result.steps.size(); ++i)
    if (result.steps[i].smoothed < result.steps[lowest].smoothed) lowest = i;
  CHECK(result.lowest == result.steps[lowest].rate);
  CHECK(result.steepest < result.lowest);
  CHECK(result.steepest > 1e-4);
  REQUIRE(result.highest);
  CHECK(*result.highest == result.lowest / 10);
  // What it suggests trains.
  Model trained = build();
  fit(trained, support::tiny_dataset(128),
      {.epochs = 8, .batch = 32, .optimizer = "sgd", .learning_rate = *result.highest});
  CHECK(accuracy(trained, support::tiny_dataset(128, 8, 2)) > 0.9);
  // The same numbers again.
  const RateRange again = learning_rate_range(model, dataset, options, range);
  REQUIRE(again.steps.size() == result.steps.size());
  CHECK(again.steps.back().loss == result.steps.back().loss);
}

TEST_CASE("a range in which nothing is learned suggests nothing, and one that is not finite says so") {
  const data::Dataset dataset = support::tiny_dataset(64);
  const Model model = build();
  const TrainingOptions options{.batch = 16, .optimizer = "sgd"};
  const RateRange low = learning_rate_range(model, dataset, options, {.from = 1e-9, .to = 1e-8, .steps = 30});
  CHECK_FALSE(low.highest);
  CHECK_FALSE(low.exploded);
  CHECK(low.steps.size() == 30);
  const RateRange infinite = learning_rate_range(model, dataset, options, {.from = 1e-3, .to = 1e35, .steps = 60});
  CHECK(infinite.exploded);
  CHECK(infinite.steps.size() < 60);
  CHECK_THROWS_WITH(learning_rate_range(model, dataset, options, {.from = 1e25, .to = 1e30, .steps = 60}),
                    Contains("not finite after ") && Contains("expected a first rate that the model can take"));
  const auto refused = [&](const RateRangeOptions& range, const std::string& why) {
    CHECK_THROWS_WITH(learning_rate_range(model, dataset, options, range), Contains(why));
  };
  refused({.from = 0}, "from is 0, expected a positive number");
  refused({.from = 0.1, .to = 0.1}, "to is 0.1, expected a number greater than from");
  refused({.to = std::nan("")}, "to is nan");
  refused({.steps = 19}, "steps is 19, expected at least 20");
  refused({.smoothing = 1}, "smoothing is 1");
}
