// Models whose weights are quantized by look-up tables: they run as integers like any other.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <qat/inference_support.hpp>
#include <qat/lut_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// Per-channel tables with a folded batch normalisation, then one table for all of a dense layer.
Model table_model() {
  Model model = Sequential(unsigned_holder(1),
                           QuantizationWrapper(Conv2D({.filters = 4, .kernel = 3}),
                                               kernel_by(lut({0.9, 0.31, 0.5, 1.7}, 4)), {.batch_norm = BatchNorm()}),
                           ReLU(), unsigned_holder(4), Flatten(),
                           QuantizationWrapper(Dense({.units = 5}), kernel_by(lut({0.4}, 2))));
  model.build({6, 6, 2}, 3);
  Dice dice(8);
  for (const NamedParameter& p : model.parameters())
    for (float& value : p.parameter->value().span<float>())
      if (p.name.ends_with("bias") || p.name.ends_with("beta")) value = dice.real(-0.5F, 0.5F);
  return model;
}

}  // namespace

TEST_CASE("a graph whose weights are tables runs as integers, with no differing code") {
  Model model = table_model();
  const InferenceGraph graph = convert2inferable(model);
  const Tensor images = Dice(5).tensor({60, 6, 6, 2}, 0, 1);
  const VerifyReport report = verify(model, graph, images);
  INFO(report.describe());
  CHECK(report.passed());
  CHECK(report.differing_codes == 0);
  CHECK(report.codes_compared > 60 * 6 * 6 * 2);

  int integer_layers = 0;
  for (const GraphNode& node : graph.nodes) {
    const auto* conv = std::get_if<IntegerConv2D>(&node.operation);
    const auto* dense = std::get_if<IntegerDense>(&node.operation);
    if (!conv && !dense) continue;
    ++integer_layers;
    const IntegerWeights& weights = conv ? conv->weights : dense->weights;
    CHECK(weights.grid.lo == -128);
    CHECK(weights.grid.hi == 127);
    for (const std::int32_t code : weights.codes.span<std::int32_t>())
      CHECK(std::find(lut_entries.begin(), lut_entries.end(), code) != lut_entries.end());
  }
  CHECK(integer_layers == 2);
}

TEST_CASE("the weights of a graph are the table's nearest, not the grid's") {
  // 0.2 * 128 = 25.6 is nearest to 26 on the grid and to 20 or 33 in the table.
  QuantizationWrapper layer(Dense({.units = 1, .bias = false}), kernel_by(lut({1}, 2)));
  Model model = Sequential(unsigned_holder(1), layer);
  model.build({1}, 1);
  model.parameters().front().parameter->value().fill(0.2);
  const InferenceGraph graph = convert2inferable(model);
  const auto& dense = std::get<IntegerDense>(graph.nodes.back().operation);
  CHECK(dense.weights.codes.data<std::int32_t>()[0] == 33);
  CHECK(dense.weights.grid.scale == std::vector<float>{1.0F / 128});
  // A weight-only quantizer in front of float activations has the same values.
  Model weight_only = Sequential(layer);
  weight_only.build({1}, 1);
  weight_only.parameters().front().parameter->value().fill(0.2);
  CHECK(std::get<FloatDense>(convert2inferable(weight_only).nodes.back().operation).kernel.item() == 33.0 / 128);
}

TEST_CASE("activations by a table train but do not become integers: the layer and the reason are named") {
  Model model = Sequential(
      ActivationQuantizationHolder(
          InferablePtr(std::make_unique<ActivationLutPOTInferableQuantizer>(ActivationLutPOTInferableQuantizer::Options{
              .num_bits = 2, .lut_values = {0, 64, 200}, .threshold = {1}, .is_signed = false}))),
      Dense({.units = 2}));
  model.build({3}, 1);
  const Tensor x = floats({1, 3}, {0.1F, 0.3F, 0.9F});
  CHECK(model.forward(x).shape() == Shape{1, 2});
  CHECK_THROWS_AS(convert2inferable(model), NotImplementedError);
  CHECK_THROWS_WITH(convert2inferable(model), Catch::Contains("activation_holder1") &&
                                                  Catch::Contains("ActivationLutPOT") &&
                                                  Catch::Contains("unevenly spaced"));
}

TEST_CASE("a kernel with NaN is refused with the layer's name") {
  Model model = Sequential(unsigned_holder(1), QuantizationWrapper(Dense({.units = 1}), kernel_by(lut({1}, 2))));
  model.build({2}, 1);
  model.parameters().front().parameter->value().data<float>()[1] = NAN;
  CHECK_THROWS_WITH(convert2inferable(model),
                    Catch::Contains("\"dense1\": kernel") && Catch::Contains("element 1 is NaN"));
}
