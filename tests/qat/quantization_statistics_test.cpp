#include <bitgrad/qat/quantization_statistics.hpp>

#include <catch2/catch.hpp>
#include <cmath>

#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/cost.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>

using namespace bitgrad;

namespace {

/// Dense [2, 2] with 2-bit symmetric per-channel weights: codes -2 to 1.
Model quantized(const std::vector<float>& kernel, const std::vector<double>& thresholds) {
  Model model = Sequential(Flatten(), Dense({.units = 2}));
  model.build({1, 2, 1}, 1);
  model.layer("dense1").weight("kernel")->assign(Tensor::from({2, 2}, kernel));
  QuantizationPlan plan = plan_quantization(model, Tensor::full({2, 1, 2, 1}, 0.5),
                                            {.weights = QuantizerSpec{.quantizer = "mct-ste", .bits = 2},
                                             .activations = QuantizerSpec{.bits = 8, .per_channel = false},
                                             .first_last_bits = 0});
  REQUIRE(plan.weights.size() == 1);
  plan.weights[0].config.quantization_params["threshold"] = Tensor::from({2}, thresholds);
  return attach_quantizers(model, plan);
}

}  // namespace

TEST_CASE("statistics of a weight, by hand") {
  // Steps 0.5 and 1: channel 0 holds 0.3 -> code 1 (0.6 steps), -2.0 -> code -2, clipped (-4 steps);
  // channel 1 holds 0.4 -> 0 and 1.0 -> 1.
  const Model model = quantized({0.3F, 0.4F, -2.0F, 1.0F}, {1.0, 2.0});
  const auto statistics = quantization_statistics(model, Tensor::full({3, 1, 2, 1}, 0.5));
  REQUIRE(statistics.size() == 2);
  const QuantizedTensor& kernel = statistics[0];
  CHECK(kernel.tensor == "dense1/kernel");
  CHECK(kernel.weights);
  CHECK(kernel.bits == 2);
  CHECK(kernel.per_channel);
  CHECK(kernel.low == -2);
  CHECK(kernel.high == 1);
  CHECK(kernel.minimum == -2);
  CHECK(kernel.maximum == 1);
  CHECK(kernel.clipped == 0.25);
  const double signal = 0.09 + 0.16 + 4 + 1, noise = 0.04 + 0.16 + 1 + 0;
  CHECK(kernel.sqnr == Approx(10 * std::log10(signal / noise)).epsilon(1e-5));
  CHECK(kernel.levels == std::vector<double>{-2, -1, 0, 1});
  CHECK(kernel.after.low == -2.5);
  CHECK(kernel.after.high == 1.5);
  CHECK(kernel.after.counts == std::vector<std::int64_t>{1, 0, 1, 2});
  CHECK(kernel.before.low == -4.5);  // -4 steps
  CHECK(kernel.before.counts[2] == 1);
  CHECK(statistics[1].tensor == "input/out");
  CHECK_FALSE(statistics[1].weights);
  CHECK(statistics[1].before.counts.size() == 96);
}

TEST_CASE("a tensor that is on its grid loses nothing") {
  const Model model = quantized({0.5F, 1.0F, -1.0F, -2.0F}, {1.0, 2.0});
  const auto statistics = quantization_statistics(model, Tensor::zeros({1, 1, 2, 1}));
  CHECK(statistics[0].sqnr == 999);
  CHECK(statistics[0].clipped == 0);
}

TEST_CASE("zeros between the pixels of a transposed convolution cost nothing") {
  Model model = Sequential(Conv2DTranspose({.filters = 5, .kernel = 3, .stride = 2, .padding = Padding::valid()}),
                           Conv2DTranspose({.filters = 2, .kernel = 2, .stride = {2, 1}}),
                           Conv2DTranspose({.filters = 4, .kernel = 3}));
  model.build({4, 6, 2}, 1);
  const auto costs = layer_costs(convert2inferable(model));
  REQUIRE(costs.size() == 3);
  CHECK(costs[0].output_shape == Shape{9, 13, 5});
  CHECK(costs[0].macs == 4 * 6 * 3 * 3 * 2 * 5);  // every pixel of the input meets every element once
  CHECK(costs[1].output_shape == Shape{18, 13, 2});
  CHECK(costs[1].macs == 9 * 13 * 2 * 2 * 5 * 2);
  CHECK(costs[2].macs == 18 * 13 * 3 * 3 * 2 * 4);  // stride 1: a convolution like any other
  const Model live = quantization_aware_training_init(
      model, Tensor::full({2, 4, 6, 2}, 0.5),
      {.weights = QuantizerSpec{.bits = 4}, .activations = QuantizerSpec{.bits = 4, .per_channel = false}});
  const auto quantized_costs = layer_costs(convert2inferable(live));
  REQUIRE(quantized_costs.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(quantized_costs[i].macs == costs[i].macs);
}

TEST_CASE("costs of layers, by hand, quantized and in float") {
  Model model = Sequential(Conv2D({.filters = 6, .kernel = 3, .stride = 2}), ReLU(), Flatten(), Dense({.units = 5}));
  model.build({8, 8, 2}, 1);
  const InferenceGraph plain = convert2inferable(model);
  const auto costs = layer_costs(plain);
  REQUIRE(costs.size() == 2);
  CHECK(costs[0].layer == "conv1");
  CHECK(costs[0].output_shape == Shape{4, 4, 6});
  CHECK(costs[0].macs == 4 * 4 * 6 * 3 * 3 * 2);
  CHECK(costs[0].bytes == 4 * (3 * 3 * 2 * 6 + 6));
  CHECK(costs[0].weight_bits == 32);
  CHECK(costs[1].macs == 96 * 5);
  const Model live = quantization_aware_training_init(model, Tensor::full({2, 8, 8, 2}, 0.5),
                                                      {.weights = QuantizerSpec{.bits = 4},
                                                       .activations = QuantizerSpec{.bits = 4, .per_channel = false},
                                                       .first_last_bits = 0});
  const InferenceGraph graph = convert2inferable(live);
  const auto small = layer_costs(graph);
  REQUIRE(small.size() == 2);
  CHECK(small[0].bytes == 108 / 2 + 6 * 4 + 6 * 4);
  CHECK(small[0].weight_bits == 4);
  CHECK(small[0].macs == costs[0].macs);
  CHECK(static_cast<std::size_t>(small[0].bytes + small[1].bytes) == graph.weight_bytes());
}
