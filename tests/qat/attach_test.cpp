#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/preparation.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

Tensor images(const Shape& shape, std::uint64_t seed = 9) {
  Tensor result(shape);
  Random(seed).fill_uniform(result);
  return result;
}

/// Batch norms as training leaves them: no gamma is 1, some are negative, statistics are not 0 and 1.
void disturb_batch_norms(Model& model, std::uint64_t seed = 5) {
  Random random(seed);
  for (const NamedParameter& named : model.parameters())
    if (named.name.ends_with("gamma") || named.name.ends_with("beta"))
      for (float& value : named.parameter->value().span<float>()) value = random.uniform(-1.5F, 1.5F);
  for (const NamedBuffer& named : model.buffers()) {
    Tensor value = named.value;
    for (float& element : value.span<float>())
      element = named.name.ends_with("variance") ? random.uniform(0.2F, 2.0F) : random.uniform(-0.5F, 0.5F);
  }
}

Model conv_model() {
  Model model =
      Sequential(Conv2D({.filters = 4, .kernel = 3, .bias = false}), BatchNorm(), ReLU(), MaxPool2D({.window = 2}),
                 Conv2D({.filters = 6, .kernel = 3}), BatchNorm(), ReLU(), GlobalAveragePool2D(), Dense({.units = 5}));
  model.build({8, 8, 1}, 3);
  disturb_batch_norms(model);
  return model;
}

Model residual_model() {
  Model model = Sequential(Conv2D({.filters = 4, .kernel = 3, .bias = false}), BatchNorm(), ReLU(),
                           residual(Sequential(Conv2D({.filters = 4, .kernel = 3, .bias = false}), BatchNorm(), ReLU(),
                                               Conv2D({.filters = 4, .kernel = 3, .bias = false}), BatchNorm())),
                           ReLU(), AveragePool2D({.window = 2}), Flatten(), Dense({.units = 3}));
  model.build({6, 6, 1}, 4);
  disturb_batch_norms(model);
  return model;
}

std::vector<std::string> names(const Model& model) {
  std::vector<std::string> result;
  for (const Model::Node& node : model.nodes()) result.push_back(node.name);
  return result;
}

const ActivationPlan& activation(const QuantizationPlan& plan, std::string_view producer) {
  for (const ActivationPlan& entry : plan.activations)
    if (entry.producer == producer) return entry;
  FAIL("no activation quantizer at " << producer);
  throw 0;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double largest = 0;
  for (std::size_t i = 0; i < a.span<float>().size(); ++i)
    largest =
        std::max(largest, std::abs(static_cast<double>(a.span<float>()[i]) - static_cast<double>(b.span<float>()[i])));
  return largest;
}

}  // namespace

TEST_CASE("preparation does not change what a model computes") {
  Model model = conv_model();
  const Tensor x = images({5, 8, 8, 1});
  const Tensor expected = model.forward(x).value();

  Model negated = prepare_for_quantization(model);
  CHECK(identical(negated.forward(x).value(), expected));
  for (const NamedParameter& named : negated.parameters())
    if (named.name.ends_with("gamma"))
      for (const float gamma : named.parameter->value().span<float>()) CHECK(gamma >= 0);
  CHECK(identical(model.forward(x).value(), expected));
}

TEST_CASE("quantizers go where the rules say") {
  const Model model = conv_model();
  const QuantizationConfig config{.weights = QuantizerSpec{.bits = 4}, .activations = QuantizerSpec{.bits = 2}};
  const QuantizationPlan plan = plan_quantization(model, images({20, 8, 8, 1}), config);
  REQUIRE(plan.weights.size() == 3);
  CHECK(plan.weights[0].layer == "conv1");
  CHECK(plan.weights[0].config.n_bits == 8);
  CHECK(plan.weights[1].layer == "conv2");
  CHECK(plan.weights[1].config.n_bits == 4);
  CHECK(plan.weights[2].layer == "dense1");
  CHECK(plan.weights[2].config.n_bits == 8);
  REQUIRE(plan.activations.size() == 4);
  CHECK(activation(plan, "input").config.n_bits == 8);
  CHECK_FALSE(activation(plan, "input").trainable);
  CHECK(activation(plan, "relu1").config.n_bits == 2);
  CHECK(activation(plan, "relu1").config.param("is_signed").item() == 0);
  CHECK(activation(plan, "relu2").config.n_bits == 2);
  CHECK(activation(plan, names(model)[7]).config.n_bits == 8);
}

TEST_CASE("signs follow the producing operation, also through residual additions") {
  const Model model = residual_model();
  const QuantizationPlan plan = plan_quantization(model, images({20, 6, 6, 1}), {});
  for (const ActivationPlan& entry : plan.activations) {
    const bool is_signed = entry.config.param("is_signed").item() != 0;
    CHECK(is_signed == (entry.producer.find("bn") != std::string::npos));
  }
  CHECK(activation(plan, "relu1").trainable);
}

TEST_CASE("activations that are no clamp have a quantizer on both sides, and some keep the sign of their input") {
  const auto sign_behind = [](auto activation_layer, bool behind_relu) {
    Sequential model(Conv2D({.filters = 3, .kernel = 3}), BatchNorm());
    if (behind_relu) model.append(ReLU());
    model.append(std::move(activation_layer));
    model.append(Conv2D({.filters = 2, .kernel = 1}));
    model.build({5, 4, 1}, 3);
    const QuantizationPlan plan = plan_quantization(model, images({20, 5, 4, 1}), {});
    REQUIRE(plan.activations.size() == 3);  // the input, and both sides
    CHECK(activation(plan, behind_relu ? "relu1" : "bn1").config.param("is_signed").item() == (behind_relu ? 0 : 1));
    return activation(plan, names(model)[behind_relu ? 3 : 2]).config.param("is_signed").item();
  };
  CHECK(sign_behind(Sigmoid(), false) == 0);
  CHECK(sign_behind(HardSigmoid(), false) == 0);
  CHECK(sign_behind(Tanh(), false) == 1);
  CHECK(sign_behind(GELU(), false) == 1);
  CHECK(sign_behind(HardSwish(), false) == 1);
  CHECK(sign_behind(LeakyReLU(), false) == 1);
  CHECK(sign_behind(Tanh(), true) == 0);
  CHECK(sign_behind(GELU(), true) == 0);
  CHECK(sign_behind(HardSwish(), true) == 0);
  CHECK(sign_behind(LeakyReLU(), true) == 0);
}

TEST_CASE("the attached model has wrappers, holders and folded batch norms under stable names") {
  const Model model = conv_model();
  const Model quantized = quantization_aware_training_init(model, images({20, 8, 8, 1}), {});
  CHECK(names(quantized) == std::vector<std::string>{"input/out", "conv1", "relu1", "relu1/out", "pool1", "conv2",
                                                     "relu2", "relu2/out", names(model)[7], names(model)[7] + "/out",
                                                     "dense1"});
  const auto& second = quantized.layer_as<QuantizationWrapper>("conv2");
  CHECK(second.input_holder() == "relu1/out");
  CHECK(second.batch_norm() != nullptr);
  CHECK(quantized.layer_as<QuantizationWrapper>("dense1").batch_norm() == nullptr);
}

TEST_CASE("the gain of a batch normalisation goes into a power-of-two kernel, whose scales stay powers of two") {
  const Model model = conv_model();
  const Tensor x = images({20, 8, 8, 1});
  const QuantizerSpec spec{.quantizer = "lsq-pot", .bits = 5};
  Model quantized = quantization_aware_training_init(model, x, {.weights = spec, .activations = spec});
  const InferenceGraph graph = convert2inferable(quantized);
  CHECK(identical(evaluate(quantized, x), graph.run(x)));
  for (const auto& [layer, bias] : {std::pair("conv1", false), std::pair("conv2", true)}) {
    const auto& wrapper = quantized.layer_as<QuantizationWrapper>(layer);
    REQUIRE(wrapper.batch_norm() != nullptr);
    CHECK(wrapper.layer().has_weight("bias") == bias);
    const BatchNorm& norm = *wrapper.batch_norm();
    const Tensor kernel = wrapper.layer().weight("kernel")->value(), seen = wrapper.before_quantizer("kernel");
    for (Index i = 0; i < kernel.size(); ++i) {
      const auto c = static_cast<std::size_t>(i % kernel.dim(-1));
      const float gain = norm.weight("gamma")->value().span<float>()[c] /
                         std::sqrt(norm.buffer("moving_variance").span<float>()[c] + norm.epsilon());
      CHECK(seen.data<float>()[i] == kernel.data<float>()[i] * gain);
    }
    const auto node = std::ranges::find(graph.nodes, layer, &GraphNode::name);
    REQUIRE(node != graph.nodes.end());
    const IntegerWeights& weights = std::get<IntegerConv2D>(node->operation).weights;
    int exponent = 0;
    for (const float scale : weights.grid.scale) CHECK(std::frexp(scale, &exponent) == 0.5F);
    CHECK(identical(weights.codes, wrapper.dispatcher().weight_quantizer("kernel")->inferable()->codes(seen)));
  }
}

TEST_CASE("batch statistics are those of the layer without the gain, wherever that goes") {
  const Tensor x = images({20, 8, 8, 1});
  const char* name = GENERATE("lsq", "lsq-pot");
  Model model = conv_model();
  const QuantizerSpec spec{.quantizer = name, .bits = 12};
  Model quantized =
      quantization_aware_training_init(model, x, {.weights = spec, .activations = {}, .first_last_bits = 12});
  const Context training{.training = true};
  const Tensor expected = model.forward(x, training).value(), found = quantized.forward(x, training).value();
  CHECK(largest_difference(found, expected) < 0.01);
  for (const auto& [node, layer] : {std::pair(1, "conv1"), std::pair(5, "conv2")}) {
    INFO(name << ' ' << layer);
    const Tensor own = model.nodes()[static_cast<std::size_t>(node)].layer->buffer("moving_variance");
    const Tensor wrapped = quantized.layer_as<QuantizationWrapper>(layer).batch_norm()->buffer("moving_variance");
    CHECK(largest_difference(wrapped, own) < 0.01);
  }
}

TEST_CASE("twelve bits are close to float, in training and in evaluation") {
  for (const char* name : {"lsq", "lsq-pot", "lsq-plus"}) {
    Model model = residual_model();
    const Tensor x = images({20, 6, 6, 1});
    const QuantizerSpec spec{.quantizer = name, .bits = 12};
    Model quantized =
        quantization_aware_training_init(model, x, {.weights = spec, .activations = spec, .first_last_bits = 12});
    const Tensor expected = model.forward(x).value();
    CHECK(largest_difference(quantized.forward(x).value(), expected) < 0.05);
    CHECK(largest_difference(evaluate(quantized, x), expected) < 0.05);
  }
}

TEST_CASE("finalizing leaves the source alone, is idempotent, and freezes the same graph") {
  const Model model = conv_model();
  const Tensor x = images({20, 8, 8, 1});
  const Model live = quantization_aware_training_init(model, x, {.weights = QuantizerSpec{.bits = 3}});
  const Model final_once = quantization_aware_training_finalize(live);
  const Model final_twice = quantization_aware_training_finalize(final_once);
  CHECK(live.layer_as<ActivationQuantizationHolder>("relu1/out").quantizer().is_trainable());
  CHECK_FALSE(final_once.layer_as<ActivationQuantizationHolder>("relu1/out").quantizer().is_trainable());
  CHECK(identical(evaluate(live, x), evaluate(final_once, x)));
  CHECK(identical(evaluate(live, x), evaluate(final_twice, x)));
}

TEST_CASE("gradients reach kernels, batch norms, biases and quantizer variables before and after the freeze") {
  const Model model = conv_model();
  const Tensor x = images({20, 8, 8, 1});
  Model quantized = quantization_aware_training_init(
      model, x, {.weights = QuantizerSpec{.bits = 4}, .activations = QuantizerSpec{.bits = 4}});
  for (const bool frozen : {false, true}) {
    freeze_batch_norm(quantized, frozen);
    quantized.zero_gradient();
    Tape tape;
    Variable y = quantized.forward(x, {.training = true, .seed = 1});
    tape.backward(mean(mul(y, y)));
    for (const NamedParameter& named : quantized.parameters()) {
      if (!named.parameter->trainable()) continue;
      double magnitude = 0;
      for (const float g : named.parameter->gradient().span<float>()) magnitude += std::abs(static_cast<double>(g));
      // A batch norm right behind it makes a bias useless until the statistics are frozen.
      const bool cancelled = !frozen && named.name == "conv2/bias";
      INFO(named.name << " frozen " << frozen);
      CHECK((magnitude > 0 || cancelled));
    }
  }
}

TEST_CASE("a plan survives its JSON form to the bit") {
  const Model model = conv_model();
  const Tensor x = images({20, 8, 8, 1});
  for (const auto method : {QuantizationMethod::SYMMETRIC, QuantizationMethod::UNIFORM}) {
    const QuantizerSpec spec{.quantizer = "mct-lsq", .bits = 4, .method = method};
    const QuantizationPlan plan = plan_quantization(model, x, {.weights = spec, .activations = spec});
    const QuantizationPlan read = QuantizationPlan::from_json(plan.to_json());
    CHECK(read.to_json() == plan.to_json());
    CHECK(identical(evaluate(attach_quantizers(model, plan), x), evaluate(attach_quantizers(model, read), x)));
  }
  CHECK_THROWS_WITH(QuantizationPlan::from_json("{}"), Contains("quantization plan"));
  CHECK_THROWS_WITH(QuantizationPlan::from_json(R"({"format": "bitgrad.quantization_plan", "version": 99})"),
                    Contains("version 99"));
}

TEST_CASE("overrides by name, and the errors of the facade") {
  const Model model = conv_model();
  const Tensor x = images({20, 8, 8, 1});
  QuantizationConfig config{.first_last_bits = 0};
  config.overrides = {{.pattern = "conv*", .weights = QuantizerSpec{.bits = 3}},
                      {.pattern = "relu2", .activations = QuantizerSpec{.bits = 5}},
                      {.pattern = "dense1", .keep_float = true}};
  const QuantizationPlan plan = plan_quantization(model, x, config);
  REQUIRE(plan.weights.size() == 2);
  CHECK(plan.weights[0].config.n_bits == 3);
  CHECK(activation(plan, "relu2").config.n_bits == 5);
  CHECK(plan.activations.size() == 3);

  const auto refused = [&](const QuantizationConfig& bad, const std::string& text) {
    CHECK_THROWS_WITH(quantization_aware_training_init(model, x, bad), text);
  };
  refused({.weights = QuantizerSpec{.bits = 0}}, "quantization config: weights: bits is 0, expected 1 to 16");
  refused({.activations = QuantizerSpec{.bits = 17}}, "quantization config: activations: bits is 17, expected 1 to 16");
  refused({.first_last_bits = 17}, "quantization config: first_last_bits is 17, expected 0 to 16");
  refused({.overrides = {{.pattern = "conv1", .weights = QuantizerSpec{.bits = -3}}}},
          "quantization config: override 1 (layer \"conv1\"): weights: bits is -3, expected 1 to 16");
  CHECK_THROWS_WITH(plan_quantization(model, x, {.weights = QuantizerSpec{.quantizer = "mct-lsk"}}),
                    Contains("weights: unknown quantizer \"mct-lsk\" (did you mean \"mct-lsq\"?"));

  config.overrides = {{.pattern = "block*"}};
  CHECK_THROWS_WITH(plan_quantization(model, x, config), Contains("override 1 (layer \"block*\") matches no layer"));
  CHECK_THROWS_WITH(plan_quantization(model, images({20, 9, 8, 1}), {}),
                    "plan_quantization: representative data are float32 (20, 9, 8, 1), expected float32 (n, ...) of "
                    "samples (8, 8, 1)");
  CHECK_THROWS_WITH(plan_quantization(model, Tensor::zeros({20, 8, 8, 1}, DType::uint8), {}),
                    Contains("are uint8 (20, 8, 8, 1), expected float32"));
  CHECK_THROWS_WITH(plan_quantization(model, Tensor(), {}), Contains("expected float32 (n, ...)"));
  Tensor holed = x.clone();
  holed.at<float>({3, 0, 0, 0}) = std::nanf("");
  CHECK_THROWS_WITH(plan_quantization(model, holed, {}),
                    Contains("plan_quantization: the model's input: ") && Contains("is nan"));
  Model broken = model;
  broken.layer("conv2").weight("kernel")->value().at<float>({0, 0, 1, 2}) = std::nanf("");
  CHECK_THROWS_WITH(plan_quantization(broken, x, {}),
                    Contains("plan_quantization: the kernel of layer \"conv2\": ") && Contains("value 8 is nan"));
  const Model quantized = attach_quantizers(model, plan);
  CHECK_THROWS_WITH(attach_quantizers(quantized, plan), Contains("start from the float model"));
  QuantizationPlan wrong = plan;
  wrong.weights[0].layer = "conv7";
  CHECK_THROWS_WITH(attach_quantizers(model, wrong), Contains("unknown layer \"conv7\""));
}
