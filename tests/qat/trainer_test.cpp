#include <bitgrad/qat/trainer.hpp>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include <bitgrad/autograd/operations/losses.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include "support/temporary_directory.hpp"
#include "support/tiny_data.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;

namespace {

Model build(const std::string& name = "fashion_cnn", std::uint64_t seed = 1) {
  Model model = models::make(name, {8, 8, 1}, 4);
  return model.build({8, 8, 1}, seed);
}

Checkpoint stored(const Trainer& trainer) {
  Checkpoint checkpoint;
  trainer.store(checkpoint);
  return checkpoint;
}

bool same(const Checkpoint& a, const Checkpoint& b) {
  return a.epoch == b.epoch && a.step == b.step && identical(a.state, b.state) && identical(a.optimizer, b.optimizer);
}

Checkpoint trained(const data::Dataset& dataset, const TrainingOptions& options, int threads = 2) {
  const int before = num_threads();
  set_num_threads(threads);
  Model model = build();
  Trainer trainer(model, dataset, options);
  trainer.fit();
  set_num_threads(before);
  return stored(trainer);
}

}  // namespace

TEST_CASE("a float model learns, and evaluation says so") {
  Model model = build("mlp");
  const data::Dataset train = support::tiny_dataset(256), test = support::tiny_dataset(128, 8, 2);
  CHECK(accuracy(model, test) < 0.7);
  fit(model, train, {.epochs = 4, .batch = 32});
  CHECK(accuracy(model, test) > 0.95);
}

TEST_CASE("training gives the same bytes for any number of threads, and others for another seed") {
  const data::Dataset dataset = support::tiny_dataset(100);
  const TrainingOptions options{
      .epochs = 2, .batch = 32, .warmup_epochs = 0.5, .gradient_clip = 1, .label_smoothing = 0.1};
  const Checkpoint one = trained(dataset, options, 1);
  CHECK(one.epoch == 2);
  CHECK(one.step == 8);  // 100 images: 4 batches, the last of 4
  CHECK(same(one, trained(dataset, options, 2)));
  CHECK(same(one, trained(dataset, options, 3)));
  TrainingOptions other = options;
  other.seed = 2;
  CHECK_FALSE(same(one, trained(dataset, other)));
}

TEST_CASE("a restored trainer continues to the byte") {
  const data::Dataset dataset = support::tiny_dataset(100);
  const char* optimizer = GENERATE("adam", "adamw", "rmsprop", "sgd");
  const char* schedule = GENERATE("constant", "one-cycle", "step");
  const TrainingOptions options{.epochs = 3, .batch = 32, .optimizer = optimizer, .schedule = schedule};
  struct Stop {};
  const auto stop = [&](const EpochResult& result) {
    if (result.epoch == 2) throw Stop();
  };
  Model first = build();
  Trainer interrupted(first, dataset, options);
  CHECK_THROWS_AS(interrupted.fit({.step = {}, .epoch = stop}), Stop);
  const Checkpoint middle = stored(interrupted);
  CHECK(middle.epoch == 2);

  Model second = build("fashion_cnn", 99);  // other weights: everything comes from the checkpoint
  Trainer resumed(second, dataset, options);
  resumed.restore(middle);
  resumed.fit();
  CHECK(same(stored(resumed), trained(dataset, options)));
}

TEST_CASE("a trainer that is stopped and restored within an epoch continues to the byte") {
  const data::Dataset dataset = support::tiny_dataset(100);
  const char* optimizer = GENERATE("adam", "sgd");
  const Index accumulate = GENERATE(1, 3);
  const int stop_after = GENERATE(1, 4, 5);
  const TrainingOptions options{.epochs = 2,
                                .batch = 16,
                                .accumulate = accumulate,
                                .optimizer = optimizer,
                                .augmentation = "flip,shift:1"};  // 7 batches, 7 or 3 steps per epoch
  const Model source = build();
  const QuantizationPlan plan = plan_quantization(
      source, data::to_unit_range(dataset.images),
      {.weights = QuantizerSpec{.bits = 4}, .activations = QuantizerSpec{.bits = 4, .per_channel = false}});
  std::vector<EpochResult> whole_epochs, epochs;
  Model whole_model = attach_quantizers(source, plan);
  Trainer whole(whole_model, dataset, options);
  CHECK(whole.fit({.step = {}, .epoch = [&](const EpochResult& result) { whole_epochs.push_back(result); }}));

  Model first = attach_quantizers(source, plan);
  Trainer interrupted(first, dataset, options);
  const auto stop = [&] { return interrupted.steps_done() == stop_after; };
  CHECK_FALSE(interrupted.fit({.step = {}, .epoch = {}, .stop = stop}));
  const support::TemporaryDirectory directory;
  Checkpoint middle{
      .model = "none", .input_shape = {8, 8, 1}, .classes = 4, .stage = "quantized", .options = "{}", .plan = ""};
  interrupted.store(middle);
  CHECK(middle.step == stop_after);
  write_checkpoint(directory / "middle", middle);

  Model second = attach_quantizers(source, plan);
  Trainer resumed(second, dataset, options);
  resumed.restore(read_checkpoint(directory / "middle"));
  CHECK(resumed.fit({.step = {}, .epoch = [&](const EpochResult& result) { epochs.push_back(result); }}));
  CHECK(same(stored(resumed), stored(whole)));
  REQUIRE(!epochs.empty());
  for (std::size_t i = 1; i <= epochs.size(); ++i) {
    CHECK(epochs[epochs.size() - i].loss == whole_epochs[whole_epochs.size() - i].loss);
    CHECK(epochs[epochs.size() - i].accuracy == whole_epochs[whole_epochs.size() - i].accuracy);
  }
  // The one that was stopped goes on by itself as well.
  CHECK(interrupted.fit());
  CHECK(same(stored(interrupted), stored(whole)));
  // Sums of an epoch that has other batches are refused.
  Model third = attach_quantizers(source, plan);
  TrainingOptions other = options;
  other.batch = 50;
  Trainer misfit(third, dataset, other);
  CHECK_THROWS_WITH(misfit.restore(middle), Contains("here an epoch has"));
}

TEST_CASE("accumulated gradients are those of one large batch, its last part smaller") {
  const data::Dataset dataset = support::tiny_dataset(72);
  const auto weights = [&](const TrainingOptions& options) {
    Model model = build("mlp");
    Trainer trainer(model, dataset, options);
    trainer.fit();
    CHECK(trainer.steps_done() == 2 * options.epochs);
    return model.state_dict();
  };
  const TrainingOptions large{.epochs = 2, .batch = 48, .optimizer = "sgd"};
  TrainingOptions small = large;
  small.batch = 16;
  small.accumulate = 3;
  const NamedTensors expected = weights(large), got = weights(small);
  const NamedTensors start = build("mlp").state_dict();
  for (const auto& [name, tensor] : expected) {
    INFO(name);
    CHECK_FALSE(identical(tensor, start.at(name)));
    const auto a = tensor.span<float>(), b = got.at(name).span<float>();
    for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(b[i] == Approx(a[i]).margin(1e-5));
  }
  CHECK_THROWS_WITH(weights({.accumulate = 0}), Contains("accumulate is 0, expected at least 1"));
}

TEST_CASE("a checkpoint of another run is not restored") {
  const data::Dataset dataset = support::tiny_dataset(100);
  Model model = build();
  const Checkpoint checkpoint = trained(dataset, {.epochs = 1, .batch = 32});
  Trainer other_seed(model, dataset, {.batch = 32, .seed = 3});
  CHECK_THROWS_WITH(other_seed.restore(checkpoint), Contains("seed 1") && Contains("the trainer 3"));
  Trainer other_batch(model, dataset, {.batch = 16});
  CHECK_THROWS_WITH(other_batch.restore(checkpoint), Contains("4 steps in 1 epochs"));
  Model mlp = build("mlp");
  Trainer other_model(mlp, dataset, {.batch = 32});
  CHECK_THROWS_WITH(other_model.restore(checkpoint), Contains("dense1/kernel"));
}

TEST_CASE("progress is counted in epochs, batches and means") {
  const data::Dataset dataset = support::tiny_dataset(70);
  Model model = build("mlp");
  std::vector<Progress> steps;
  std::vector<EpochResult> epochs;
  fit(model, dataset, {.epochs = 2, .batch = 32},
      {.step = [&](const Progress& progress) { steps.push_back(progress); },
       .epoch = [&](const EpochResult& result) { epochs.push_back(result); }});
  REQUIRE(steps.size() == 6);
  REQUIRE(epochs.size() == 2);
  CHECK(steps[0].epoch == 1);
  CHECK(steps[3].epoch == 2);
  CHECK(steps[3].epochs == 2);
  CHECK(steps[4].batch == 2);
  CHECK(steps[4].batches == 3);
  CHECK(steps[5].loss == epochs[1].loss);
  CHECK(steps[5].accuracy == epochs[1].accuracy);
  CHECK(epochs[1].accuracy * 70 == Approx(std::round(epochs[1].accuracy * 70)));
  CHECK(epochs[0].loss > epochs[1].loss);
  CHECK(steps[5].seconds_left == Approx(0).margin(1e-9));
  CHECK(steps[2].seconds_left == Approx(70 / steps[2].images_per_second));
  CHECK(epochs[1].learning_rate < epochs[0].learning_rate);
}

TEST_CASE("the learning rate follows warm-up and schedule") {
  const data::Dataset dataset = support::tiny_dataset(64);  // 4 steps per epoch
  Model model = build("mlp");
  std::vector<double> rates;
  const auto collect = [&](const EpochResult& result) { rates.push_back(result.learning_rate); };
  SECTION("cosine") {
    fit(model, dataset, {.epochs = 3, .batch = 16, .learning_rate = 0.01, .warmup_epochs = 1},
        {.step = {}, .epoch = collect});
    CHECK(rates[0] == Approx(0.01));
    CHECK(rates[1] == Approx(0.005 * (1 + std::cos(std::acos(-1) * 3 / 8))));
    CHECK(rates[2] == Approx(0.005 * (1 + std::cos(std::acos(-1) * 7 / 8))));
  }
  SECTION("one cycle: 12 steps, the highest rate after 4 of them") {
    fit(model, dataset, {.epochs = 3, .batch = 16, .learning_rate = 0.01, .schedule = "one-cycle"},
        {.step = {}, .epoch = collect});
    const double low = 0.01 / 25, high = 0.01, last = low / 1e4;
    CHECK(rates[0] == Approx((low + high) / 2 + (high - low) / 2 * std::cos(std::acos(-1) * 1 / 4)));
    CHECK(rates[1] == Approx((last + high) / 2 + (high - last) / 2 * std::cos(std::acos(-1) * 3 / 8)));
    CHECK(rates[2] == Approx((last + high) / 2 + (high - last) / 2 * std::cos(std::acos(-1) * 7 / 8)));
  }
  SECTION("exponential: a hundredth after 12 steps") {
    fit(model, dataset, {.epochs = 3, .batch = 16, .learning_rate = 0.01, .schedule = "exponential"},
        {.step = {}, .epoch = collect});
    for (int i = 0; i < 3; ++i) CHECK(rates[i] == Approx(0.01 * std::pow(0.01, (4 * i + 3) / 12.0)));
  }
  SECTION("step") {
    fit(model, dataset, {.epochs = 4, .batch = 16, .learning_rate = 0.01, .schedule = "step"},
        {.step = {}, .epoch = collect});
    REQUIRE(rates.size() == 4);
    CHECK(rates[0] == 0.01);
    CHECK(rates[1] == 0.01);
    CHECK(rates[2] == Approx(0.001));
    CHECK(rates[3] == Approx(0.0001));
  }
}

TEST_CASE("an epoch that diverges says where, and is not reported as done") {
  const data::Dataset dataset = support::tiny_dataset(128);
  int epochs = 0;
  const TrainingCallbacks count{.step = {}, .epoch = [&](const EpochResult&) { ++epochs; }};
  Model model = build("mlp");
  const auto kernel = [&](const char* layer) -> Tensor& { return model.layer(layer).weight("kernel")->value(); };

  SECTION("the forward pass overflows") {
    kernel("dense2").fill(3e38);
    CHECK_THROWS_AS(fit(model, dataset, {.batch = 32}, count), DivergenceError);
    CHECK_THROWS_WITH(fit(model, dataset, {.batch = 32}, count), Contains("epoch 1, step 1: the loss is") &&
                                                                     Contains("it first appeared here: ") &&
                                                                     Contains("dense2"));
  }
  SECTION("a parameter is not finite") {
    model.layer("dense3").weight("bias")->value().at<float>({2}) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH(fit(model, dataset, {.batch = 32}, count),
                      Contains("\"dense3/bias\" is nan at element 2 of shape (4)"));
  }
  SECTION("the rate is absurd") {
    CHECK_THROWS_AS(fit(model, dataset, {.epochs = 3, .batch = 32, .learning_rate = 1e30}, count), DivergenceError);
  }
  SECTION("a gradient is not finite") {
    kernel("dense1").fill(1e20);
    kernel("dense2").fill(0);
    model.layer("dense2").weight("bias")->value().fill(1e-30);  // the ReLU passes gradients
    for (float& weight : kernel("dense3").span<float>()) weight = weight > 0 ? 1e25F : -1e25F;
    CHECK_THROWS_WITH(fit(model, dataset, {.batch = 32}, count),
                      Contains("epoch 1, step 1: the gradient of \"dense2/kernel\" is"));
  }
  CHECK(epochs == 0);
}

TEST_CASE("training that diverges in a later epoch leaves the checkpoint of the epoch before") {
  const data::Dataset dataset = support::tiny_dataset(64);
  const support::TemporaryDirectory directory;
  Model model = build("mlp");
  Trainer trainer(model, dataset, {.epochs = 3, .batch = 32});
  const auto save_then_spoil = [&](const EpochResult&) {
    Checkpoint checkpoint{
        .model = "mlp", .input_shape = {8, 8, 1}, .classes = 4, .stage = "float", .options = "{}", .plan = ""};
    trainer.store(checkpoint);
    write_checkpoint(directory / "float.safetensors", checkpoint);
    model.layer("dense2").weight("kernel")->value().at<float>({3, 5}) = std::numeric_limits<float>::infinity();
  };
  CHECK_THROWS_WITH(
      trainer.fit({.step = {}, .epoch = save_then_spoil}),
      Contains("epoch 2, step 3: ") && Contains("\"dense2/kernel\" is inf at element 197 of shape (128, 64)"));
  CHECK(trainer.epochs_done() == 1);
  const Checkpoint kept = read_checkpoint(directory / "float.safetensors");
  CHECK(kept.epoch == 1);
  CHECK(kept.step == 2);
  CHECK(std::isfinite(restore_model(kept).layer("dense2").weight("kernel")->value().at<float>({3, 5})));
  CHECK(directory.names() == std::vector<std::string>{"float.safetensors"});
}

TEST_CASE("a trainer refuses what it cannot train") {
  const data::Dataset dataset = support::tiny_dataset(16);
  Model model = build("mlp");
  CHECK_THROWS_WITH(Trainer(model, support::tiny_dataset(16, 6), {}), Contains("(8, 8, 1)") && Contains("(6, 6, 1)"));
  data::Dataset more_classes = dataset;
  more_classes.classes = 5;
  CHECK_THROWS_WITH(Trainer(model, more_classes, {}), Contains("5 classes"));
  Model unbuilt = models::make("mlp", {8, 8, 1}, 4);
  CHECK_THROWS_AS(Trainer(unbuilt, dataset, {}), StateError);
  CHECK_THROWS_WITH(Trainer(model, dataset, {.batch = 0}), Contains("batch is 0"));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.epochs = -1}), Contains("epochs is -1"));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.optimizer = "adm"}), Contains("did you mean \"adam\""));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.schedule = "cosin"}), Contains("did you mean \"cosine\""));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.learning_rate = std::nan("")}), Contains("learning_rate is nan"));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.momentum = 1}), Contains("momentum is 1"));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.label_smoothing = -0.1}), Contains("label_smoothing is -0.1"));
  CHECK_THROWS_WITH(Trainer(model, dataset, {.frozen_batch_norm = 1.5}), Contains("frozen_batch_norm is 1.5"));
}

TEST_CASE("options as JSON are the same text for the same options") {
  CHECK(TrainingOptions{}.to_json() == TrainingOptions{}.to_json());
  CHECK(TrainingOptions{}.to_json() != TrainingOptions{.seed = 2}.to_json());
  CHECK_THAT(TrainingOptions{.batch = 48}.to_json(), Contains("\"batch\":48"));
}

TEST_CASE("quantization-aware training learns quantizers, freezes batch statistics and resumes") {
  const data::Dataset dataset = support::tiny_dataset(96);
  Model model = build();
  fit(model, dataset, {.epochs = 2, .batch = 32});
  const QuantizationConfig config{.weights = QuantizerSpec{.bits = 4},
                                  .activations = QuantizerSpec{.bits = 4, .per_channel = false}};
  const QuantizationPlan plan = plan_quantization(model, data::to_unit_range(dataset.images), config);
  TrainingOptions options = quantized_training({.epochs = 3, .batch = 32});
  const auto is_statistic = [](const std::string& name) { return name.find("moving_") != std::string::npos; };

  Model live = attach_quantizers(model, plan);
  Trainer trainer(live, dataset, options);
  std::vector<Checkpoint> epochs;
  trainer.fit({.step = {}, .epoch = [&](const EpochResult&) { epochs.push_back(stored(trainer)); }});
  REQUIRE(epochs.size() == 3);
  int statistics = 0;
  for (const auto& [name, tensor] : epochs[1].state) {
    if (!is_statistic(name)) continue;
    ++statistics;
    CHECK_FALSE(identical(tensor, epochs[0].state.at(name)));
    CHECK(identical(tensor, epochs[2].state.at(name)));  // the last third
  }
  CHECK(statistics > 0);

  Model again = attach_quantizers(model, plan);
  Trainer resumed(again, dataset, options);
  resumed.restore(epochs[1]);
  resumed.fit();
  CHECK(same(stored(resumed), epochs[2]));

  Model loaded = attach_quantizers(model, plan);  // as from a file: quantizers have moved before the trainer sees them
  loaded.load_state_dict(epochs[1].state);
  Trainer from_file(loaded, dataset, options);
  from_file.restore(epochs[1]);
  from_file.fit();
  CHECK(same(stored(from_file), epochs[2]));

  options.qparams_rate = 0;
  Model still = attach_quantizers(model, plan);
  fit(still, dataset, options);
  int moved = 0;
  const Model start = attach_quantizers(model, plan);
  const std::vector<NamedParameter> before = start.parameters(), after = still.parameters(),
                                    learned = live.parameters();
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].parameter->group() != ParameterGroup::qparams) continue;
    CHECK(identical(before[i].parameter->value(), after[i].parameter->value()));
    moved += identical(before[i].parameter->value(), learned[i].parameter->value()) ? 0 : 1;
  }
  CHECK(moved > 0);
}

TEST_CASE("distillation pulls a model to its teacher, and asks for one") {
  const data::Dataset dataset = support::tiny_dataset(96);
  Model teacher = build("mlp");
  fit(teacher, dataset, {.epochs = 3, .batch = 32});
  const Tensor images = data::to_unit_range(dataset.images);
  const auto distance = [&](Model& student) {
    return distillation(student.forward(images).value(), teacher.forward(images).value(), 4).value().item();
  };
  const TrainingOptions options{.epochs = 12, .batch = 32, .distillation = 1};
  Model student = build("mlp", 9);
  const double before = distance(student);
  Trainer trainer(student, dataset, options);
  CHECK_THROWS_WITH(trainer.fit(), Contains("distillation is 1 and there is no teacher"));
  trainer.set_teacher(teacher);
  trainer.fit();
  CHECK(distance(student) < before / 4);
  CHECK_THROWS_AS(trainer.set_teacher(models::make("mlp", {4, 4, 1}, 4).build({4, 4, 1})), ShapeError);
  CHECK_THROWS_WITH(Trainer(student, dataset, {.distillation = 1.5}), Contains("distillation is 1.5"));
}

TEST_CASE("delayed activation quantizers let training through and leave evaluation alone") {
  const data::Dataset dataset = support::tiny_dataset(64);
  const Model source = build();
  const Tensor images = data::to_unit_range(dataset.images);
  const QuantizationConfig config{.weights = QuantizerSpec{.bits = 4},
                                  .activations = QuantizerSpec{.bits = 2, .per_channel = false}};
  Model model = quantization_aware_training_init(source, images, config);
  const Context training{.training = true, .seed = 1};
  const Tensor shipped = evaluate(model, images);
  const Tensor quantized = Model(model).forward(images, training).value();
  delay_activation_quantizers(model, true);
  CHECK(identical(evaluate(model, images), shipped));
  CHECK_FALSE(identical(Model(model).forward(images, training).value(), quantized));
  delay_activation_quantizers(model, false);
  CHECK(identical(Model(model).forward(images, training).value(), quantized));
  // In training: the activation quantizers' parameters start to move when the delay is over.
  const auto moved = [&](const TrainingOptions& options) {
    Model live = quantization_aware_training_init(source, images, config);
    const NamedTensors start = live.state_dict();
    fit(live, dataset, options);
    int count = 0;
    for (const auto& [name, tensor] : live.state_dict())
      if (name.find("/out/") != std::string::npos && !identical(tensor, start.at(name))) ++count;
    return count;
  };
  CHECK(moved({.epochs = 2, .batch = 32, .activation_delay = 2}) == 0);
  CHECK(moved({.epochs = 2, .batch = 32, .activation_delay = 1}) > 0);
}
