// What a training step hands to layers and parameters: seeds and rates.
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <set>

#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/tiny_data.hpp"

using namespace bitgrad;

namespace {

/// Hands its input on and remembers the seeds that it was called with in training.
struct SeedSpy : LayerOf<SeedSpy> {
  explicit SeedSpy(std::shared_ptr<std::vector<std::uint64_t>> to) : seeds(std::move(to)) {}
  std::string_view type() const override { return "SeedSpy"; }
  std::string_view name_stem() const override { return "spy"; }
  Shape output_shape(std::span<const Shape> inputs) const override { return single_input(inputs, type()); }
  Variable apply(std::span<const Variable> inputs, const Weights&, const Context& context) override {
    if (context.training) seeds->push_back(context.seed);
    return inputs.front();
  }
  GraphValue lower(GraphBuilder&, std::span<const GraphValue> inputs) const override { return inputs.front(); }
  std::shared_ptr<std::vector<std::uint64_t>> seeds;
};

std::vector<std::uint64_t> seeds_of_steps(const TrainingOptions& options) {
  const auto seeds = std::make_shared<std::vector<std::uint64_t>>();
  Model model = Sequential(Flatten(), SeedSpy(seeds), Dense({.units = 4}));
  model.build({8, 8, 1});
  fit(model, support::tiny_dataset(64), options);
  return *seeds;
}

}  // namespace

TEST_CASE("every step has a seed of its own for what is random in layers") {
  const std::vector<std::uint64_t> seeds = seeds_of_steps({.epochs = 2, .batch = 16, .seed = 5});
  REQUIRE(seeds.size() == 8);
  CHECK(std::set(seeds.begin(), seeds.end()).size() == 8);
  CHECK(seeds == seeds_of_steps({.epochs = 2, .batch = 16, .seed = 5}));
  const std::vector<std::uint64_t> others = seeds_of_steps({.epochs = 2, .batch = 16, .seed = 6});
  for (std::size_t i = 0; i < seeds.size(); ++i) CHECK(seeds[i] != others[i]);
}

TEST_CASE("under Adam a quantizer's parameters move in proportion to their size, weights by the learning rate") {
  const data::Dataset dataset = support::tiny_dataset(64);
  const Model source = models::make("fashion_cnn", {8, 8, 1}, 4).build({8, 8, 1}, 1);
  const QuantizationConfig config{.weights = QuantizerSpec{.bits = 2},
                                  .activations = QuantizerSpec{.bits = 4, .per_channel = false}};
  const Model before = quantization_aware_training_init(source, data::to_unit_range(dataset.images), config);
  Model after = before;
  constexpr double rate = 1e-2, factor = 0.5;
  fit(after, dataset,
      {.epochs = 1, .batch = 64, .learning_rate = rate, .qparams_rate = factor, .schedule = "constant"});
  // The first step of Adam has the length of the rate, whatever the gradient.
  std::set<double> steps;
  const std::vector<NamedParameter> from = before.parameters(), to = after.parameters();
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!from[i].parameter->trainable()) continue;
    INFO(from[i].name);
    const auto old = from[i].parameter->value().span<float>(), now = to[i].parameter->value().span<float>();
    double squares = 0, longest = 0;
    for (std::size_t k = 0; k < old.size(); ++k) {
      squares += static_cast<double>(old[k]) * static_cast<double>(old[k]);
      longest = std::max(longest, std::abs(static_cast<double>(now[k]) - static_cast<double>(old[k])));
    }
    const bool quantizer = from[i].parameter->group() == ParameterGroup::qparams;
    const double expected = quantizer ? rate * factor * std::sqrt(squares / static_cast<double>(old.size())) : rate;
    CHECK(longest == Approx(expected).epsilon(0.01));
    if (quantizer) steps.insert(expected);
  }
  CHECK(steps.size() > 4);
  CHECK(*steps.rbegin() > 5 * *steps.begin());
}
