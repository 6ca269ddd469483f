#include <bitgrad/qat/sensitivity.hpp>

#include <catch2/catch.hpp>
#include <limits>

#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/tiny_data.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;

namespace {

/// Least loss over all choices, one per layer.
double brute_force(const Sensitivity& sensitivity, std::size_t layers, std::size_t widths, Budget budget,
                   double limit) {
  double best = std::numeric_limits<double>::infinity();
  std::size_t all = 1;
  for (std::size_t l = 0; l < layers; ++l) all *= widths;
  for (std::size_t choice = 0; choice < all; ++choice) {
    double loss = 0, cost = 0;
    for (std::size_t l = 0, rest = choice; l < layers; ++l, rest /= widths) {
      const LayerSensitivity& layer = sensitivity.layers[l * widths + rest % widths];
      loss += layer.loss;
      cost += cost_of(layer, budget);
    }
    if (cost <= limit) best = std::min(best, loss);
  }
  return best;
}

}  // namespace

TEST_CASE("bits under a budget are the best there are") {
  Random random(3);
  const std::vector<int> bits{2, 4, 8};
  for (int round = 0; round < 40; ++round) {
    Sensitivity sensitivity;
    double least = 0, most = 0;
    for (int l = 0; l < 5; ++l) {
      const auto parameters = 8 + 8 * random.below(40);
      for (const int width : bits)
        sensitivity.layers.push_back({.layer = "layer" + std::to_string(l),
                                      .bits = width,
                                      .bytes = parameters * width / 8,
                                      .macs = parameters,
                                      .loss = random.uniform(-0.01, 1.0) / width,
                                      .accuracy = 0});
      least += static_cast<double>(parameters * 2 / 8);
      most += static_cast<double>(parameters);
    }
    const double limit = least + (most - least) * random.uniform(0.0, 1.1);
    for (const Budget budget : {Budget::bytes, Budget::macs}) {
      const auto chosen = allocate_bits(sensitivity, budget, limit);
      REQUIRE(chosen.size() == 5);
      double loss = 0, cost = 0;
      for (std::size_t l = 0; l < 5; ++l) {
        CHECK(chosen[l].layer == "layer" + std::to_string(l));
        loss += chosen[l].loss;
        cost += cost_of(chosen[l], budget);
      }
      CHECK(cost <= limit);
      CHECK(loss == Approx(brute_force(sensitivity, 5, 3, budget, limit)).epsilon(1e-9));
    }
    CHECK_THROWS_WITH(allocate_bits(sensitivity, Budget::bytes, least - 1),
                      Contains("the smallest widths measured cost"));
  }
  CHECK_THROWS_AS(allocate_bits({}, Budget::bytes, 100), ValueError);
  CHECK_THROWS_AS(allocate_bits({}, Budget::bytes, -1), ValueError);
}

TEST_CASE("one layer at a time is quantized, the others stay in float") {
  const data::Dataset dataset = support::tiny_dataset(96);
  Model model = models::make("fashion_cnn", {8, 8, 1}, 4).build({8, 8, 1}, 1);
  fit(model, dataset, {.epochs = 2, .batch = 32});
  const NamedTensors before = model.state_dict();
  const std::vector<int> bits{2, 8};
  const Sensitivity result = weight_sensitivity(model, dataset, bits);
  CHECK(identical(model.state_dict(), before));
  CHECK(result.accuracy == Approx(accuracy(model, dataset)));
  REQUIRE(result.layers.size() == 10);
  double fine = 0, coarse = 0;
  for (std::size_t i = 0; i < 10; i += 2) {
    CHECK(result.layers[i].layer == result.layers[i + 1].layer);
    CHECK(result.layers[i].bits == 2);
    CHECK(result.layers[i].bytes < result.layers[i + 1].bytes);
    coarse += std::abs(result.layers[i].loss);
    fine += std::abs(result.layers[i + 1].loss);
  }
  CHECK(coarse > 10 * fine);
  // The bytes are those of a graph in which everything has these bits.
  const InferenceGraph graph = convert2inferable(quantization_aware_training_init(
      model, data::to_unit_range(dataset.images.rows(0, 8)),
      {.weights = QuantizerSpec{.bits = 2}, .activations = QuantizerSpec{.per_channel = false}, .first_last_bits = 0}));
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < 10; i += 2) bytes += result.layers[i].bytes;
  CHECK(bytes == static_cast<std::int64_t>(graph.weight_bytes()));

  const Sensitivity read = Sensitivity::from_json(result.to_json(), "text");
  CHECK(read.to_json() == result.to_json());
  for (const char* wrong : {"1e300", "-1", "0.5"}) {
    const std::string text =
        std::string(
            R"({"format":"bitgrad.sensitivity","version":1,"weights":"lsq:8","loss":0,"accuracy":0,"layers":[)") +
        R"({"layer":"a","bits":2,"bytes":)" + wrong + R"(,"macs":1,"loss":0,"accuracy":0}]})";
    CHECK_THROWS_WITH(Sensitivity::from_json(text, "file"),
                      Contains("file: layers[0]: \"bytes\" is ") && Contains("expected a whole number, 0 or more"));
  }
  CHECK_THROWS_WITH(Sensitivity::from_json(R"({"format": "x", "version": 1})", "file"),
                    Contains("file: format is \"x\""));
  CHECK_THROWS_AS(weight_sensitivity(model, dataset, {}), ValueError);
}
