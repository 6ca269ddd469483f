// Bits that fall phase by phase: the phases, and what one hands to the next.
#include <bitgrad/qat/gradual.hpp>

#include <catch2/catch.hpp>

#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include "support/tiny_data.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;

namespace {

QuantizationConfig config_of(const std::string& weights, int bits) {
  return {.weights = QuantizerSpec{.quantizer = weights, .bits = bits},
          .activations = QuantizerSpec{.bits = bits, .per_channel = false},
          .first_last_bits = bits};
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double result = 0;
  for (std::size_t i = 0; i < a.span<float>().size(); ++i)
    result =
        std::max(result, std::abs(static_cast<double>(a.span<float>()[i]) - static_cast<double>(b.span<float>()[i])));
  return result;
}

}  // namespace

TEST_CASE("phases are read with epochs or share them out") {
  using Phases = std::vector<BitPhase>;
  CHECK(parse_gradual("8:2,4:2,2:4", 0) == Phases{{8, 2}, {4, 2}, {2, 4}});
  CHECK(parse_gradual("8:2,4:2,2:4", 8) == Phases{{8, 2}, {4, 2}, {2, 4}});
  CHECK(parse_gradual("8,4,2", 8) == Phases{{8, 2}, {4, 3}, {2, 3}});
  CHECK(parse_gradual("8,4,2", 3) == Phases{{8, 1}, {4, 1}, {2, 1}});
  CHECK(parse_gradual("3", 5) == Phases{{3, 5}});
  CHECK(to_string(parse_gradual("8,4,2", 8)) == "8:2,4:3,2:3");
  CHECK(to_string(Phases{}) == "");
  CHECK(parse_gradual(to_string(Phases{{8, 1}, {1, 3}}), 4) == Phases{{8, 1}, {1, 3}});
  const auto refused = [](std::string_view text, std::int64_t epochs, const std::string& why) {
    INFO(text);
    CHECK_THROWS_AS(parse_gradual(text, epochs), ValueError);
    CHECK_THROWS_WITH(parse_gradual(text, epochs), Contains(why));
  };
  refused("", 3, "\"\" is no whole number");
  refused("8,,2", 3, "\"\" is no whole number, expected falling bits");
  refused("8,x", 3, "\"x\" is no whole number");
  refused("8:1:1,4:1", 3, "\"1:1\" is no whole number");
  refused("4,8", 3, "phases have 4 and then 8 bits, expected falling bits");
  refused("4,4", 3, "phases have 4 and then 4 bits");
  refused("17,4", 3, "a phase has 17 bits, expected 1 to 16");
  refused("4,0", 3, "a phase has 0 bits");
  refused("8,4,2", 2, "2 epochs with quantizers for 3 phases");
  refused("8:1,4", 2, "epochs are given for 1 of 2 phases");
  refused("8:1,4:0", 2, "phase 4:0 has 0 epochs, expected 1");
  refused("8:1,4:2", 4, "phases have 3 epochs together, expected 4");
}

TEST_CASE("no quantizer of a phase has fewer bits, and the last is the configuration") {
  QuantizationConfig config = config_of("lsq", 4);
  config.first_last_bits = 8;
  config.weights->bits = 2;
  config.overrides = {{.pattern = "conv1", .weights = QuantizerSpec{.bits = 3}, .activation_bits = 6},
                      {.pattern = "conv2", .weight_bits = 5, .other_weights = {{"bias", QuantizerSpec{.bits = 12}}}}};
  CHECK(fewest_bits(config) == 2);
  const QuantizationConfig five = at_least(config, 5);
  CHECK(five.weights->bits == 5);
  CHECK(five.activations->bits == 5);
  CHECK(five.first_last_bits == 8);
  CHECK(five.overrides[0].weights->bits == 5);
  CHECK(five.overrides[0].activation_bits == 6);
  CHECK(five.overrides[1].weight_bits == 5);
  CHECK(five.overrides[1].other_weights.at("bias").bits == 12);
  CHECK(at_least(config, 10).first_last_bits == 10);
  config.first_last_bits = 0;
  CHECK(at_least(config, 10).first_last_bits == 0);
  CHECK(at_least(config, 2).weights->bits == 2);
  CHECK(at_least(config, 2).activations->bits == 4);
  config.overrides[0].weight_bits = 1;
  CHECK(fewest_bits(config) == 1);
  CHECK(fewest_bits({.weights = std::nullopt, .activations = std::nullopt}) == 16);
}

TEST_CASE("what was learned with quantizers goes back into the float model") {
  const data::Dataset dataset = support::tiny_dataset(96);
  const Tensor images = data::to_unit_range(dataset.images);
  const char* quantizer = GENERATE("lsq", "lsq-pot");  // the latter has the gains of normalisations in its kernels
  const char* name = GENERATE("fashion_cnn", "resnet8");
  INFO(quantizer << ' ' << name);
  Model source = models::make(name, {8, 8, 1}, 4).build({8, 8, 1}, 3);
  fit(source, dataset, {.epochs = 1, .batch = 32});
  // Some channels start with negative gamma, which attaching negates.
  for (const Model::Node& node : source.nodes())
    if (auto* batch_norm = dynamic_cast<BatchNorm*>(node.layer.get()))
      for (Index c = 0; c < batch_norm->weight("gamma")->value().size(); c += 3)
        batch_norm->weight("gamma")->value().span<float>()[static_cast<std::size_t>(c)] *= -1;

  // Before training it is the same function, up to the rounding of a fold.
  Model untrained = quantization_aware_training_init(source, images, config_of(quantizer, 8));
  Model back = with_learned_weights(source, untrained);
  const double scale = largest_difference(source.forward(images).value(), Tensor::zeros({96, 4}));
  CHECK(largest_difference(source.forward(images).value(), back.forward(images).value()) < 1e-4 * scale);

  // With many bits the quantized model is nearly the float one that it leaves.
  Model trained = quantization_aware_training_init(source, images, config_of(quantizer, 12));
  // Weights that move so that no more is clipped than before, which would be a difference of its own.
  for (const NamedParameter& named : trained.parameters())
    if (named.parameter->group() == ParameterGroup::weights)
      for (float& weight : named.parameter->value().span<float>()) weight *= 0.97F;
  Model learned = with_learned_weights(source, trained);
  CHECK(largest_difference(learned.forward(images).value(), source.forward(images).value()) > 0.05 * scale);
  const double range = largest_difference(learned.forward(images).value(), Tensor::zeros({96, 4}));
  CHECK(largest_difference(learned.forward(images).value(), evaluate(trained, images)) < 0.03 * range);

  // And so is the next phase, which begins where the last one ended.
  Model next = quantization_aware_training_init(learned, images, config_of(quantizer, 12));
  CHECK(largest_difference(evaluate(next, images), evaluate(trained, images)) < 0.03 * range);
  CHECK_THROWS_WITH(with_learned_weights(models::make("mlp", {8, 8, 1}, 4).build({8, 8, 1}), trained),
                    Contains("with_learned_weights: \"") || Contains("has no \""));
}
