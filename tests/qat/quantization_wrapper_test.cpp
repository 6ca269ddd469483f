#include <catch2/catch.hpp>

#include <cmath>
#include <stdexcept>

#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/registry.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

QuantizerSlot weights_8_bit(std::vector<double> threshold) {
  return InferablePtr(std::make_unique<WeightsSymmetricInferableQuantizer>(
      WeightsSymmetricInferableQuantizer::Options{.num_bits = 8, .threshold = std::move(threshold)}));
}

QuantizerSlot activation_8_bit() {
  return InferablePtr(std::make_unique<ActivationSymmetricInferableQuantizer>(
      ActivationSymmetricInferableQuantizer::Options{.num_bits = 8, .threshold = {2.0}, .is_signed = true}));
}

}  // namespace

TEST_CASE("a dispatcher holds quantizers of the right target only") {
  NodeQuantizationDispatcher dispatcher;
  CHECK_FALSE(dispatcher.is_weights_quantization());
  dispatcher.add_weight_quantizer("kernel", weights_8_bit({2}));
  dispatcher.add_weight_quantizer("kernel", weights_8_bit({4}));
  CHECK(dispatcher.num_weights_quantizers() == 1);
  CHECK(dispatcher.weight_quantizer("kernel")->inferable()->grid().scale.front() == 4.0F / 128);
  CHECK(dispatcher.weight_quantizer("bias") == nullptr);
  dispatcher.set_activation_quantizers({activation_8_bit()});
  CHECK(dispatcher.is_activation_quantization());
  CHECK_THROWS_WITH(dispatcher.add_weight_quantizer("bias", activation_8_bit()),
                    Contains("weight \"bias\" is marked for Activation, expected one for Weights"));
  CHECK_THROWS_WITH(dispatcher.set_activation_quantizers({weights_8_bit({2})}),
                    Contains("output 0 is marked for Weights"));
  CHECK_THROWS_WITH(dispatcher.set_weight_quantizers({{"kernel", weights_8_bit({2})}, {"kernel", weights_8_bit({2})}}),
                    Contains("\"kernel\" has two quantizers"));
  CHECK_THROWS_WITH(QuantizerSlot(InferablePtr()), Contains("null"));
}

TEST_CASE("a wrapped convolution computes with the quantized kernel and leaves the float one alone") {
  const Shape input{32, 32, 3};
  Random random(1);
  Conv2D conv({.filters = 6, .kernel = 7, .bias = false});
  conv.build({&input, 1}, random);
  const Tensor kernel = conv.weight("kernel")->value().clone();
  NodeQuantizationDispatcher dispatcher;
  dispatcher.add_weight_quantizer("kernel", weights_8_bit({2}));
  QuantizationWrapper wrapper(conv, dispatcher);
  wrapper.build({&input, 1}, random);

  Tensor x({2, 32, 32, 3});
  Random(2).fill_normal(x);
  Weights quantized;
  quantized.set("kernel", dispatcher.weight_quantizer("kernel")->inferable()->operator()(kernel));
  const Variable operand(x);
  const Tensor expected = conv.apply({&operand, 1}, quantized, {}).value();
  CHECK(identical(wrapper.forward(operand).value(), expected));
  CHECK_FALSE(identical(conv.forward(operand).value(), expected));
  CHECK(identical(wrapper.layer().weight("kernel")->value(), kernel));
}

TEST_CASE("a copy of a wrapper has its own weights and variables") {
  const Shape input{4};
  Random random(1);
  TrainableQuantizerWeightsConfig config;
  config.n_bits = 4;
  config.quantization_params["threshold"] = Tensor::full({1, 3}, 1.0, DType::float64);
  NodeQuantizationDispatcher dispatcher;
  dispatcher.add_weight_quantizer("kernel", make_trainable("lsq", config));
  QuantizationWrapper wrapper(Dense({.units = 3}), dispatcher);
  wrapper.build({&input, 1}, random);
  const QuantizationWrapper copy(wrapper);
  REQUIRE(copy.parameters().size() == wrapper.parameters().size());
  for (std::size_t i = 0; i < copy.parameters().size(); ++i) {
    CHECK(copy.parameters()[i].name == wrapper.parameters()[i].name);
    CHECK(copy.parameters()[i].parameter != wrapper.parameters()[i].parameter);
    CHECK(identical(copy.parameters()[i].parameter->value(), wrapper.parameters()[i].parameter->value()));
  }
  wrapper.convert_to_inferable_quantizers();
  wrapper.convert_to_inferable_quantizers();
  CHECK_FALSE(wrapper.dispatcher().weight_quantizer("kernel")->is_trainable());
  CHECK(copy.dispatcher().weight_quantizer("kernel")->is_trainable());
}

TEST_CASE("wrappers and holders refuse what they cannot do") {
  NodeQuantizationDispatcher two_outputs({}, {activation_8_bit(), activation_8_bit()});
  CHECK_THROWS_WITH(QuantizationWrapper(Dense({.units = 3}), two_outputs),
                    Contains("2 activation quantizers, but Dense has one output"));
  CHECK_THROWS_WITH(QuantizationWrapper(ReLU(), {}, {.batch_norm = BatchNorm()}),
                    Contains("cannot be folded into a ReLU"));
  CHECK_THROWS_WITH(ActivationQuantizationHolder(weights_8_bit({2})),
                    Contains("marked for Weights, expected one for Activation"));
  NodeQuantizationDispatcher unknown({{"kernels", weights_8_bit({2})}});
  QuantizationWrapper wrapper(Dense({.units = 3}), unknown);
  const Shape input{4};
  Random random(1);
  CHECK_THROWS_WITH(wrapper.build({&input, 1}, random), Contains("kernels"));
}

TEST_CASE(
    "a gain below the floor: training with the batch's statistics and with the frozen ones computes with the floor") {
  const Shape input{2};
  Random random(1);
  const BatchNorm normalization({.epsilon = 1e-3F});
  QuantizationWrapper wrapper(Dense({.units = 2, .bias = false}), NodeQuantizationDispatcher(),
                              {.batch_norm = normalization});
  wrapper.build({&input, 1}, random);
  const auto parameter = [&](std::string_view name) {
    for (const NamedParameter& named : wrapper.parameters())
      if (named.name == name) return named.parameter;
    throw std::runtime_error("no such parameter");
  };
  parameter("kernel")->assign(Tensor::from({2, 2}, {1, 0, 0, 1}));
  parameter("bn/gamma")->assign(Tensor::from({2}, {-0.5F, 1e-7F}));  // training has moved them below the floor
  parameter("bn/beta")->assign(Tensor::from({2}, {3, -2}));
  const Tensor x = Tensor::from({4, 2}, {-1, 4, 1, 0, -1, 0, 1, 4});  // means 0 and 2, deviations 1 and 2
  const Variable operand(x);

  // The floor is that of gamma / sqrt(moving variance + epsilon), and the moving variance is still 1.
  const double smallest = 1e-4 * std::sqrt(1 + 1e-3);
  const Tensor batch = wrapper.forward(operand, {.training = true}).value();
  wrapper.freeze_batch_norm(true);
  const Tensor mean = wrapper.batch_norm()->buffer("moving_mean");
  const Tensor frozen = wrapper.forward(operand, {.training = true}).value(),
               inference = wrapper.forward(operand).value();
  for (Index i = 0; i < 4; ++i)
    for (Index c = 0; c < 2; ++c) {
      const double value = static_cast<double>(x.at<float>({i, c})), beta = c == 0 ? 3 : -2;
      const double normalized = c == 0 ? value / std::sqrt(1 + 1e-3) : (value - 2) / std::sqrt(4 + 1e-3);
      CHECK(static_cast<double>(batch.at<float>({i, c})) - beta == Approx(smallest * normalized).margin(5e-7));
      CHECK(static_cast<double>(frozen.at<float>({i, c})) - beta ==
            Approx(1e-4 * (value - static_cast<double>(mean.at<float>({c})))).margin(5e-7));
      CHECK(inference.at<float>({i, c}) == frozen.at<float>({i, c}));
    }
}
