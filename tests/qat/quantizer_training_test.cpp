// Every trainable quantizer in the training loop: it learns, resumes to the byte, and ships what it trained.
#include <catch2/catch.hpp>

#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/tiny_data.hpp"

using namespace bitgrad;

namespace {

struct Pair {
  const char *weights, *activations;
};

std::vector<Pair> pairs() {
  return {{"lsq:4", "lsq:4"},
          {"lsq-pot:4", "lsq-pot:4"},
          {"lsq-plus:4", "lsq-plus:4"},
          {"lsq-plus:4:uniform", "lsq-plus:8"},
          {"dqa:2", "lsq:4"},
          {"dqa:4:uniform", "lsq:8"},
          {"mct-ste:4:uniform", "mct-ste:4:uniform"},
          {"mct-lsq:4:uniform", "mct-lsq:4:uniform"},
          {"mct-lsq:4:pot", "mct-lsq:4:pot"}};
}

const data::Dataset& dataset() {
  static const data::Dataset images = support::tiny_dataset(96);
  return images;
}

const Model& float_model() {
  static const Model model = [] {
    Model fresh = models::make("fashion_cnn", {8, 8, 1}, 4);
    fresh.build({8, 8, 1}, 1);
    fit(fresh, dataset(), {.epochs = 12, .batch = 16});
    return fresh;
  }();
  return model;
}

QuantizationPlan plan_of(const Pair& pair) {
  return plan_quantization(
      float_model(), data::to_unit_range(dataset().images),
      {.weights = parse_quantizer_spec(pair.weights), .activations = parse_quantizer_spec(pair.activations)});
}

Checkpoint stored(const Trainer& trainer) {
  Checkpoint checkpoint;
  trainer.store(checkpoint);
  return checkpoint;
}

}  // namespace

TEST_CASE("every trainable quantizer learns, resumes to the byte, and ships what it trained") {
  for (const Pair& pair : pairs())
    for (const char* optimizer : {"adam", "sgd"}) {
      INFO(pair.weights << ' ' << pair.activations << ' ' << optimizer);
      const QuantizationPlan plan = plan_of(pair);
      TrainingOptions options = quantized_training({.epochs = 4, .batch = 16, .optimizer = optimizer});
      if (options.optimizer == "sgd") options.learning_rate = 0.01;
      Model live = attach_quantizers(float_model(), plan);
      Trainer trainer(live, dataset(), options);
      std::vector<Checkpoint> epochs;
      trainer.fit({.step = {}, .epoch = [&](const EpochResult&) { epochs.push_back(stored(trainer)); }});

      Model again = attach_quantizers(float_model(), QuantizationPlan::from_json(plan.to_json()));
      Trainer resumed(again, dataset(), options);
      resumed.restore(epochs[1]);
      resumed.fit();
      CHECK(identical(stored(resumed).state, epochs.back().state));
      CHECK(identical(stored(resumed).optimizer, epochs.back().optimizer));

      Model loaded = attach_quantizers(float_model(), plan);
      loaded.load_state_dict(live.state_dict());
      const Tensor images = data::to_unit_range(dataset().images);
      CHECK(identical(evaluate(loaded, images), evaluate(live, images)));
      const VerifyReport report = verify(live, convert2inferable(live), images);
      CHECK(report.passed());
      CHECK(report.differing_codes == 0);
      CHECK(accuracy(live, dataset()) > 0.9);
    }
}

TEST_CASE("a quantizer parameter that starts at zero moves under Adam") {
  for (const Pair& pair :
       {Pair{"lsq:4", "lsq-plus:4"}, Pair{"lsq:4", "mct-lsq:4:uniform"}, Pair{"lsq:4", "mct-ste:4:uniform"}}) {
    Model model = attach_quantizers(float_model(), plan_of(pair));
    std::vector<ParameterPtr> zeros;
    for (const NamedParameter& each : model.parameters())
      if (each.parameter->trainable() && each.parameter->group() == ParameterGroup::qparams &&
          each.parameter->value().size() == 1 && each.parameter->value().item() == 0)
        zeros.push_back(each.parameter);
    REQUIRE(zeros.size() >= 2);  // behind every ReLU
    fit(model, dataset(), quantized_training({.batch = 32}));
    INFO(pair.activations);
    for (const ParameterPtr& zero : zeros) CHECK(zero->value().item() != 0);
  }
}
