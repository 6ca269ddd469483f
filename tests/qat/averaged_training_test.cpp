// Training with a memory beside the weights: averages of them, and a learning rate that watches the loss.
#include <catch2/catch.hpp>
#include <cmath>

#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/temporary_directory.hpp"
#include "support/tiny_data.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;

namespace {

Model build(const std::string& name = "fashion_cnn", std::uint64_t seed = 1) {
  return models::make(name, {8, 8, 1}, 4).build({8, 8, 1}, seed);
}

Checkpoint stored(const Trainer& trainer) {
  Checkpoint checkpoint{
      .model = "none", .input_shape = {8, 8, 1}, .classes = 4, .stage = "float", .options = "{}", .plan = ""};
  trainer.store(checkpoint);
  return checkpoint;
}

bool same(const Checkpoint& a, const Checkpoint& b) {
  return a.epoch == b.epoch && a.step == b.step && identical(a.state, b.state) && identical(a.optimizer, b.optimizer) &&
         identical(a.progress, b.progress);
}

}  // namespace

TEST_CASE("the average of the weights is what WeightAverage says, statistics and quantizers included") {
  const data::Dataset dataset = support::tiny_dataset(96);
  const QuantizationConfig config{.weights = QuantizerSpec{.bits = 4},
                                  .activations = QuantizerSpec{.bits = 4, .per_channel = false}};
  Model model = quantization_aware_training_init(build(), data::to_unit_range(dataset.images), config);
  constexpr double decay = 0.9;
  Trainer trainer(model, dataset, quantized_training({.epochs = 3, .batch = 16, .ema = decay}));
  NamedTensors expected = model.state_dict();
  int steps = 0;
  const auto follow = [&](const Progress&) {
    const double t = ++steps, share = 1 - std::min(decay, (1 + t) / (10 + t));
    for (const auto& [name, value] : model.state_dict()) {
      const std::span<const float> from = value.span<float>();
      const std::span<float> to = expected.at(name).span<float>();
      for (std::size_t i = 0; i < to.size(); ++i)
        to[i] += static_cast<float>(share * (static_cast<double>(from[i]) - static_cast<double>(to[i])));
    }
  };
  trainer.fit({.step = follow, .epoch = {}});
  CHECK(steps == 18);
  const NamedTensors averages = trainer.result().state_dict();
  const NamedTensors live = model.state_dict();
  int moved = 0;
  for (const auto& [name, value] : averages) {
    INFO(name);
    const std::span<const float> got = value.span<float>(), wanted = expected.at(name).span<float>();
    for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(wanted[i]).epsilon(1e-4).margin(1e-6));
    moved += identical(value, live.at(name)) ? 0 : 1;
  }
  CHECK(moved > 20);
  // The input's grid is calibrated, not trained: it is the model's own.
  CHECK(identical(averages.at("input/out/activation_scale"), live.at("input/out/activation_scale")));
}

TEST_CASE("averaging leaves training alone") {
  const data::Dataset dataset = support::tiny_dataset(96);
  Model plain = build(), averaged = build();
  Trainer(plain, dataset, {.epochs = 2, .batch = 32}).fit();
  Trainer trainer(averaged, dataset, {.epochs = 2, .batch = 32, .ema = 0.99});
  trainer.fit();
  CHECK(identical(plain.state_dict(), averaged.state_dict()));
  CHECK_FALSE(identical(plain.state_dict(), trainer.result().state_dict()));
  Model facade = build();
  fit(facade, dataset, {.epochs = 2, .batch = 32, .ema = 0.99});
  CHECK(identical(facade.state_dict(), trainer.result().state_dict()));
  Trainer without(plain, dataset, {.epochs = 2, .batch = 32});
  CHECK(identical(without.result().state_dict(), plain.state_dict()));
  CHECK(stored(without).progress.empty());
}

TEST_CASE("averages and plateaus continue to the byte, between epochs and within") {
  const data::Dataset dataset = support::tiny_dataset(100);
  const int stop_after = GENERATE(2, 7, 9);
  const TrainingOptions options{
      .epochs = 3, .batch = 16, .learning_rate = 0.05, .schedule = "plateau", .warmup_epochs = 0.5, .ema = 0.95};
  Model whole_model = build();
  Trainer whole(whole_model, dataset, options);
  whole.fit();

  Model first = build();
  Trainer interrupted(first, dataset, options);
  CHECK_FALSE(
      interrupted.fit({.step = {}, .epoch = {}, .stop = [&] { return interrupted.steps_done() == stop_after; }}));
  const support::TemporaryDirectory directory;
  const Checkpoint middle = stored(interrupted);
  write_checkpoint(directory / "middle", middle);
  CHECK(identical(middle.state, interrupted.result().state_dict()));

  Model second = build("fashion_cnn", 99);
  Trainer resumed(second, dataset, options);
  resumed.restore(read_checkpoint(directory / "middle"));
  CHECK(same(stored(resumed), middle));
  CHECK(resumed.fit());
  CHECK(same(stored(resumed), stored(whole)));
  CHECK(identical(second.state_dict(), whole_model.state_dict()));
  // A checkpoint that lacks them is refused.
  Model third = build();
  Trainer plain(third, dataset, {.epochs = 3, .batch = 16});
  Trainer misfit(third, dataset, options);
  CHECK_THROWS_WITH(misfit.restore(stored(plain)), Contains("average_steps"));
}

TEST_CASE("on a plateau the learning rate falls to a tenth after three epochs without a lower loss") {
  const data::Dataset dataset = support::tiny_dataset(32);
  Model model = build("mlp");
  // So small a rate that the loss does not fall by the threshold of 1e-4.
  const TrainingOptions options{
      .epochs = 9, .batch = 32, .optimizer = "sgd", .learning_rate = 1e-9, .schedule = "plateau", .momentum = 0};
  Trainer trainer(model, dataset, options);
  std::vector<double> rates;
  trainer.fit({.step = {}, .epoch = [&](const EpochResult& result) { rates.push_back(result.learning_rate); }});
  REQUIRE(rates.size() == 9);
  for (std::size_t epoch = 1; epoch <= 9; ++epoch) {
    INFO(epoch);
    const double factor = epoch <= 4 ? 1 : epoch <= 7 ? 0.1 : 0.01;  // the first epoch is the best; 2 to 4, 5 to 7
    CHECK(rates[epoch - 1] == Approx(1e-9 * factor));
  }
}

TEST_CASE("a schedule of one's own, and the loss and rate of every step") {
  const data::Dataset dataset = support::tiny_dataset(80);
  Model model = build("mlp");
  Trainer trainer(model, dataset, {.epochs = 1, .batch = 32});
  trainer.set_schedule(Schedule([](Index step) { return 0.001 * static_cast<double>(step + 1); }));
  double sum = 0, last_mean = 0;
  int step = 0;
  const auto add = [&](const Progress& progress) {
    CHECK(progress.learning_rate == 0.001 * ++step);
    sum += progress.step_loss * (step < 3 ? 32 : 16);
    last_mean = progress.loss;
  };
  trainer.fit({.step = add, .epoch = {}});
  CHECK(step == 3);
  CHECK(sum / 80 == Approx(last_mean));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.ema = 1}),
                    Contains("ema is 1, expected at least 0 (none) and less than"));
}
