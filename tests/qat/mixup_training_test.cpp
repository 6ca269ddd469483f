// Training with mixed images.
#include <catch2/catch.hpp>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/tiny_data.hpp"

using namespace bitgrad;

namespace {

Model build() {
  Model model = models::make("mlp", {8, 8, 1}, 4);
  return model.build({8, 8, 1}, 1);
}

const TrainingOptions mixed{
    .epochs = 2, .batch = 16, .label_smoothing = 0.1, .augmentation = "flip,shift:1", .mixup = 0.4};

NamedTensors trained(const TrainingOptions& options, int threads) {
  const int before = num_threads();
  set_num_threads(threads);
  Model model = build();
  fit(model, support::tiny_dataset(100), options);
  set_num_threads(before);
  return model.state_dict();
}

}  // namespace

TEST_CASE("training with mixup: the same bytes for any number of threads, others without") {
  const NamedTensors one = trained(mixed, 1);
  CHECK(identical(one, trained(mixed, 2)));
  CHECK(identical(one, trained(mixed, 3)));
  TrainingOptions plain = mixed;
  plain.mixup = 0;
  CHECK_FALSE(identical(one, trained(plain, 2)));
  CHECK(plain.to_json().find("mixup") == std::string::npos);
  CHECK(mixed.to_json().find("\"mixup\":0.4") != std::string::npos);
}

TEST_CASE("training with mixup that is stopped within an epoch continues to the byte") {
  Model first = build(), second = build();
  const data::Dataset dataset = support::tiny_dataset(100);
  Trainer interrupted(first, dataset, mixed);
  CHECK_FALSE(interrupted.fit({.step = {}, .epoch = {}, .stop = [&] { return interrupted.steps_done() == 10; }}));
  Checkpoint middle;
  interrupted.store(middle);
  Trainer resumed(second, dataset, mixed);
  resumed.restore(middle);
  CHECK(resumed.fit());
  CHECK(identical(second.state_dict(), trained(mixed, 2)));
}

TEST_CASE("training learns from mixed labels") {
  // With shares of one half nothing but soft targets tells the halves apart.
  Model model = build();
  std::vector<double> losses;
  TrainingOptions options{.epochs = 6, .batch = 16, .mixup = 100};
  Trainer trainer(model, support::tiny_dataset(256), options);
  trainer.fit({.step = {}, .epoch = [&](const EpochResult& result) { losses.push_back(result.loss); }});
  CHECK(accuracy(model, support::tiny_dataset(128, 8, 2)) > 0.95);
  // Three of four pairs have two classes, whose cross entropy cannot fall below log 2.
  CHECK(losses.back() < losses.front());
  CHECK(losses.back() > 0.75 * 0.6);
  options.mixup = -1;
  CHECK_THROWS_WITH(Trainer(model, support::tiny_dataset(8), options),
                    "training: mixup is -1, expected 0 (none) to 1000");
}
