// Biases in training: on the accumulator's grid, as they ship.
#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// Biases and statistics as training might leave them; nothing near a whole number of steps.
void stir(Model& model) {
  Dice dice(11);
  for (const NamedParameter& p : model.parameters())
    for (float& value : p.parameter->value().span<float>()) {
      if (p.name.ends_with("bias") || p.name.ends_with("beta")) value = dice.real(-2, 2);
      if (p.name.ends_with("gamma")) value = dice.real(0.5F, 1.5F);
    }
  for (const NamedBuffer& b : model.buffers()) {
    Tensor values = b.value;
    for (float& value : values.span<float>())
      value = b.name.ends_with("variance") ? dice.real(0.5F, 2) : dice.real(-0.5F, 0.5F);
  }
}

/// One layer behind the quantized input, with logits.
Model one_layer(bool convolution, bool bias, bool batch_norm) {
  Model model;
  auto x = convolution ? model.add(Conv2D({.filters = 3, .kernel = 2, .bias = bias}), model.input())
                       : model.add(Dense({.units = 5, .bias = bias}), model.add(Flatten(), model.input()));
  if (batch_norm) model.add(BatchNorm(), x);
  model.build({3, 3, 2}, 4);
  stir(model);
  return model;
}

const IntegerWeights& weights_of(const InferenceGraph& graph) {
  for (const GraphNode& node : graph.nodes) {
    if (const auto* conv = std::get_if<IntegerConv2D>(&node.operation)) return conv->weights;
    if (const auto* dense = std::get_if<IntegerDense>(&node.operation)) return dense->weights;
  }
  throw ValueError("no integer layer");
}

}  // namespace

TEST_CASE(
    "the training forward uses the very bias that ships: Conv2D and Dense, with and without bias and batch norm") {
  for (const bool convolution : {true, false})
    for (const bool bias : {true, false})
      for (const bool batch_norm : {true, false}) {
        if (!bias && !batch_norm) continue;
        INFO((convolution ? "Conv2D" : "Dense") << (bias ? " bias" : "") << (batch_norm ? " batch norm" : ""));
        // One bit of input and two of weights: the accumulator's step is coarse, and so is the bias.
        const QuantizationConfig config{.weights = QuantizerSpec{.bits = 2},
                                        .first_last_bits = 0,
                                        .overrides = {{.pattern = "input", .activations = QuantizerSpec{.bits = 1}}}};
        const Model source = one_layer(convolution, bias, batch_norm);
        Model model = quantization_aware_training_init(source, Dice(3).tensor({20, 3, 3, 2}, 0, 1), config);
        freeze_batch_norm(model, true);

        // For an input of zeros the layer gives its bias.
        const Tensor zeros = Tensor::zeros({1, 3, 3, 2});
        const Tensor trained = model.forward(zeros, {.training = true}).value();
        const IntegerWeights weights = weights_of(convert2inferable(model));
        const Index channels = trained.dim(-1);
        double coarsest = 0;
        for (Index i = 0; i < trained.size(); ++i) {
          const std::size_t c = static_cast<std::size_t>(i % channels);
          const float shipped = static_cast<float>(weights.bias.data<std::int32_t>()[c]) * weights.multiplier[c];
          CHECK(trained.data<float>()[i] == Approx(static_cast<double>(shipped)).epsilon(1e-6).margin(1e-7));
          coarsest = std::max(coarsest, static_cast<double>(weights.multiplier[c]));
        }
        CHECK(coarsest > 0.1);

        // It is not the float bias, which lies up to half a step away.
        const Tensor float_bias = Model(source).forward(zeros).value();
        double farthest = 0;
        for (Index i = 0; i < trained.size(); ++i)
          farthest = std::max(farthest, std::abs(static_cast<double>(trained.data<float>()[i]) -
                                                 static_cast<double>(float_bias.data<float>()[i])));
        CHECK(farthest > 0.02);
        CHECK(farthest <= coarsest / 2 * 1.01);

        const Tensor x = Dice(5).tensor({30, 3, 3, 2}, 0, 1);
        const Tensor logits = model.forward(x, {.training = true}).value(), graph = evaluate(model, x);
        for (Index i = 0; i < logits.size(); ++i)
          CHECK(logits.data<float>()[i] ==
                Approx(static_cast<double>(graph.data<float>()[i])).epsilon(1e-5).margin(1e-5));
      }
}

TEST_CASE("until batch statistics are frozen, the bias behind a batch norm stays in float") {
  const Model source = one_layer(true, true, true);
  Model model = quantization_aware_training_init(source, Dice(3).tensor({20, 3, 3, 2}, 0, 1),
                                                 {.weights = QuantizerSpec{.bits = 2}});
  const Tensor x = Dice(5).tensor({8, 3, 3, 2}, 0, 1);
  Model live = model;
  const Tensor before = live.forward(x, {.training = true}).value();
  freeze_batch_norm(model, true);
  CHECK_FALSE(identical(model.forward(x, {.training = true}).value(), before));
}
