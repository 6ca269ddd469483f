// Any weight of any layer: users' layers, layers inside of layers, biases.
#include <catch2/catch.hpp>

#include <algorithm>

#include <bitgrad/qat/evaluation.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>
#include <bitgrad/quantizers/inferable/pot.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/registry.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

#include <qat/inference_support.hpp>
#include <qat/user_layers.hpp>
#include <support/tiny_data.hpp>

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

QuantizerSlot trainable_weights(int bits, double threshold, const char* identifier = "lsq") {
  TrainableQuantizerWeightsConfig config;
  config.n_bits = bits;
  config.weights_per_channel_threshold = false;
  config.quantization_params["threshold"] = Tensor::full({1}, threshold, DType::float64);
  return make_trainable(identifier, config);
}

QuantizerSlot trainable_activation(int bits, double threshold) {
  TrainableQuantizerActivationConfig config;
  config.n_bits = bits;
  config.quantization_params = {{"threshold", Tensor::full({1}, threshold, DType::float64)},
                                {"is_signed", Tensor::scalar(1, DType::float64)}};
  return make_trainable("lsq", config);
}

std::vector<std::string> parameter_names(const Model& model) {
  std::vector<std::string> names;
  for (const NamedParameter& named : model.parameters()) names.push_back(named.name);
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

const GraphNode& node_named(const InferenceGraph& graph, const std::string& name) {
  const auto found = std::ranges::find(graph.nodes, name, &GraphNode::name);
  if (found == graph.nodes.end()) fail<ValueError>("no node \"", name, "\" in\n", graph.describe());
  return *found;
}

/// A quantizer of a user that converts to whatever it was told.
class Stubborn : public TrainableQuantizer<Stubborn, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "stubborn");
  enum class Answer { nothing, wrong_target, refusal };
  Stubborn(const TrainableQuantizerWeightsConfig& config, Answer answer)
      : TrainableQuantizer(config), answer_(answer) {}
  void initialize_quantization(const std::optional<Shape>&, std::string_view) override {}
  Variable operator()(const Variable& x, bool) override { return x; }
  InferablePtr convert2inferable() const override {
    if (answer_ == Answer::refusal) fail<NotImplementedError>("stubborn does not convert");
    if (answer_ == Answer::nothing) return nullptr;
    return std::make_unique<ActivationSymmetricInferableQuantizer>(
        ActivationSymmetricInferableQuantizer::Options{.threshold = {1}});
  }

 private:
  Answer answer_;
};

}  // namespace

TEST_CASE("a user's weight is wrapped, trained, converted and frozen") {
  Model model =
      Sequential(Conv2D({.filters = 4, .kernel = 3}), Gain(), ReLU(), Flatten(), Dense({.units = 4}), Gain("last"));
  model.build({8, 8, 1}, 1);
  const data::Dataset dataset = support::tiny_dataset(128);
  const Tensor images = data::to_unit_range(dataset.images);
  QuantizationConfig config{.weights = QuantizerSpec{.bits = 4}, .activations = QuantizerSpec{.bits = 4}};
  config.overrides = {{.type = "Gain", .other_weights = {{"gain", QuantizerSpec{.bits = 3}}}}};
  const QuantizationPlan plan = plan_quantization(model, images, config);
  REQUIRE(plan.weights.size() == 4);
  CHECK(plan.weights[1].layer == "gain1");
  CHECK(plan.weights[1].weight == "gain");
  CHECK(plan.weights[1].config.n_bits == 3);
  CHECK(plan.weights[1].config.param("threshold").size() == 1);  // one grid for a weight of one axis

  Model quantized = attach_quantizers(model, QuantizationPlan::from_json(plan.to_json()));
  const NamedTensors before = quantized.state_dict();
  REQUIRE(before.contains("gain1/gain"));
  REQUIRE(before.contains("gain1/gain_scale"));
  fit(quantized, dataset, quantized_training({.epochs = 1, .batch = 16}));
  for (const char* name : {"gain1/gain", "gain1/gain_scale", "last/gain", "last/gain_scale"})
    CHECK_FALSE(identical(quantized.state_dict().at(name), before.at(name)));

  const Model finalized = quantization_aware_training_finalize(quantized);
  const auto& wrapper = finalized.layer_as<QuantizationWrapper>("gain1");
  CHECK_FALSE(wrapper.dispatcher().weight_quantizer("gain")->is_trainable());
  CHECK_FALSE(contains(parameter_names(finalized), "gain1/gain_scale"));
  CHECK(contains(parameter_names(finalized), "gain1/gain"));

  // The quantized gain is what enters the graph: folded into the scales of the convolution before it.
  const InferenceGraph graph = convert2inferable(quantized);
  CHECK(identical(graph.run(images), convert2inferable(finalized).run(images)));
  const auto gain = quantized.layer_as<QuantizationWrapper>("gain1").dispatcher().weight_quantizer("gain")->inferable();
  const Tensor on_grid = gain->dequantize(gain->codes(quantized.state_dict().at("gain1/gain")));
  CHECK_FALSE(identical(on_grid, quantized.state_dict().at("gain1/gain")));
  const Grid kernel =
      quantized.layer_as<QuantizationWrapper>("conv1").dispatcher().weight_quantizer("kernel")->inferable()->grid();
  const Grid& folded = std::get<IntegerConv2D>(node_named(graph, "conv1").operation).weights.grid;
  for (std::size_t c = 0; c < 4; ++c) CHECK(folded.scale[c] == kernel.scale[c] * on_grid.data<float>()[c]);
  const VerifyReport report = verify(quantized, graph, images);
  INFO(report.describe());
  CHECK(report.passed());
  CHECK(report.float_layers.empty());
  for (const LayerAgreement& layer : report.training_forward) CHECK(layer.largest_step <= 1);
  CHECK(accuracy(graph, dataset) == accuracy(quantized, dataset));
}

TEST_CASE("a quantized weight behind a quantized tensor becomes a table") {
  Model model = Sequential(Gain("only"));
  model.build({3}, 2);
  Model quantized;
  auto x = quantized.add(ActivationQuantizationHolder(trainable_activation(4, 2)), quantized.input(), "in");
  NodeQuantizationDispatcher dispatcher({{"gain", trainable_weights(3, 1.5)}});
  x = quantized.add(QuantizationWrapper(model.layer("only").clone(), dispatcher), {x}, "only");
  quantized.add(ActivationQuantizationHolder(trainable_activation(8, 4)), {x}, "out");
  quantized.build({3});
  const Tensor values = Dice(4).tensor({50, 3}, -2, 2);
  const InferenceGraph graph = convert2inferable(quantized);
  CHECK(std::holds_alternative<IntegerTable>(node_named(graph, "only").operation));
  CHECK(verify(quantized, graph, values).passed());
  CHECK(identical(evaluate(quantized, values), quantized.forward(values).value()));
}

TEST_CASE("a weight that the layer changes before it hands it on stays in float, with the right values") {
  Model quantized;
  auto x = quantized.add(ActivationQuantizationHolder(trainable_activation(4, 1)), quantized.input(), "in");
  NodeQuantizationDispatcher dispatcher({{"kernel", trainable_weights(2, 1)}});
  quantized.add(QuantizationWrapper(Doubled(), dispatcher), x, "twice");
  quantized.build({4}, 3);
  const Tensor values = Dice(4).tensor({20, 4}, -1, 1);
  Tensor expected = quantized.forward(values).value(), found = evaluate(quantized, values);
  for (Index i = 0; i < found.size(); ++i)
    CHECK(found.data<float>()[i] == Approx(static_cast<double>(expected.data<float>()[i])).margin(1e-6));
  const VerifyReport report = verify(quantized, convert2inferable(quantized), values);
  CHECK(report.passed());
  CHECK(report.float_layers == std::vector<std::string>{"twice"});
}

TEST_CASE("a kernel and its bias, both quantized by powers of two, ship exactly") {
  Model model = Sequential(Conv2D({.filters = 3, .kernel = 3}), ReLU(), Flatten(), Dense({.units = 4}));
  model.build({8, 8, 1}, 6);
  const data::Dataset dataset = support::tiny_dataset(96);
  const Tensor images = data::to_unit_range(dataset.images);
  QuantizationConfig config{.weights = parse_quantizer_spec("lsq-pot:4"),
                            .activations = parse_quantizer_spec("lsq-pot:6")};
  config.overrides = {{.pattern = "*", .other_weights = {{"bias", *parse_quantizer_spec("lsq-pot:6")}}}};
  Model quantized = quantization_aware_training_init(model, images, config);
  fit(quantized, dataset, quantized_training({.epochs = 1, .batch = 16}));
  const InferenceGraph graph = convert2inferable(quantized);
  CHECK(verify(quantized, graph, images).passed());
  for (const char* layer : {"conv1", "dense1"}) {
    const auto bias = quantized.layer_as<QuantizationWrapper>(layer).dispatcher().weight_quantizer("bias")->inferable();
    const Tensor values = bias->dequantize(bias->codes(quantized.state_dict().at(std::string(layer) + "/bias")));
    const GraphNode& node = node_named(graph, layer);
    const auto* conv = std::get_if<IntegerConv2D>(&node.operation);
    const IntegerWeights& weights = conv ? conv->weights : std::get<IntegerDense>(node.operation).weights;
    const float input = graph.tensors[static_cast<std::size_t>(node.inputs[0])].grid->scale[0];
    for (std::size_t c = 0; c < weights.multiplier.size(); ++c) {
      const float unit = input * weights.grid.scale[weights.grid.scale.size() == 1 ? 0 : c];
      CHECK(static_cast<float>(weights.bias.data<std::int32_t>()[c]) * unit == values.data<float>()[c]);
    }
  }
}

TEST_CASE("a quantized bias ships whatever the grids are, as it was trained") {
  Model model = Sequential(Conv2D({.filters = 3, .kernel = 3}), ReLU(), Flatten(), Dense({.units = 4}));
  model.build({8, 8, 1}, 6);
  const data::Dataset dataset = support::tiny_dataset(96);
  const Tensor images = data::to_unit_range(dataset.images);
  QuantizationConfig config{.weights = parse_quantizer_spec("lsq:4"), .activations = parse_quantizer_spec("lsq:6")};
  const std::string spec = GENERATE("lsq:3", "lsq-pot:3", "mct-ste:3:uniform");
  INFO(spec);
  config.overrides = {{.pattern = "*", .other_weights = {{"bias", *parse_quantizer_spec(spec)}}}};
  Model quantized = quantization_aware_training_init(model, images, config);
  fit(quantized, dataset, quantized_training({.epochs = 2, .batch = 16}));
  const InferenceGraph graph = convert2inferable(quantized);
  CHECK(verify(quantized, graph, images).passed());
  // Within half a step of the accumulator, its own grid's values.
  const auto& wrapper = quantized.layer_as<QuantizationWrapper>("dense1");
  const auto bias = wrapper.dispatcher().weight_quantizer("bias")->inferable();
  const Tensor own = bias->dequantize(bias->codes(quantized.state_dict().at("dense1/bias")));
  const GraphNode& node = node_named(graph, "dense1");
  const IntegerWeights& weights = std::get<IntegerDense>(node.operation).weights;
  const float input = graph.tensors[static_cast<std::size_t>(node.inputs[0])].grid->scale[0];
  for (std::size_t c = 0; c < 4; ++c) {
    const double unit = static_cast<double>(input) * static_cast<double>(weights.grid.scale[c]);
    CHECK(weights.bias.data<std::int32_t>()[c] * unit ==
          Approx(static_cast<double>(own.data<float>()[c])).margin(0.501 * unit));
  }
}

TEST_CASE("a bias that takes in a batch normalisation has no quantizer of its own") {
  Model model = Sequential(Conv2D({.filters = 3, .kernel = 3}), BatchNorm(), ReLU(), Flatten(), Dense({.units = 4}));
  model.build({8, 8, 1}, 6);
  const Tensor images = data::to_unit_range(support::tiny_dataset(96).images);
  for (const char* spec : {"lsq:4", "lsq-pot:4"}) {
    QuantizationConfig config{.weights = parse_quantizer_spec(spec), .activations = parse_quantizer_spec(spec)};
    config.overrides = {{.pattern = "conv1", .other_weights = {{"bias", *parse_quantizer_spec(spec)}}}};
    CHECK_THROWS_WITH(quantization_aware_training_init(model, images, config),
                      Contains("the bias has a quantizer of its own") && Contains("leave the bias without"));
  }
}

TEST_CASE("conversion and frozen statistics reach layers inside of layers") {
  NodeQuantizationDispatcher inner({{"kernel", trainable_weights(4, 1)}}), outer({{"kernel", trainable_weights(3, 1)}});
  const Block block(std::make_unique<QuantizationWrapper>(Dense({.units = 3}), inner),
                    std::make_unique<ActivationQuantizationHolder>(trainable_activation(6, 4)));
  Model model;
  const auto x = model.add(ActivationQuantizationHolder(trainable_activation(8, 1)), model.input(), "in");
  model.add(QuantizationWrapper(block, outer), x, "block");
  model.build({5}, 8);
  CHECK(parameter_names(model) == std::vector<std::string>{"in/activation_scale", "block/kernel", "block/inner/kernel",
                                                           "block/inner/bias", "block/inner/kernel_scale",
                                                           "block/hold/activation_scale", "block/norm/gamma",
                                                           "block/norm/beta", "block/kernel_scale"});
  CHECK(model.buffers().size() == 2);

  const Model finalized = quantization_aware_training_finalize(model);
  CHECK(parameter_names(finalized) == std::vector<std::string>{"block/kernel", "block/inner/kernel", "block/inner/bias",
                                                               "block/norm/gamma", "block/norm/beta"});
  CHECK(parameter_names(model).size() == 9);
  const Tensor values = Dice(4).tensor({20, 5}, -1, 1);
  CHECK(identical(evaluate(quantization_aware_training_finalize(finalized), values), evaluate(model, values)));
  CHECK(identical(evaluate(finalized, values), evaluate(model, values)));

  // Two kernels of one name, each on its own grid.
  const InferenceGraph graph = convert2inferable(model);
  const auto bits_of = [&](const std::string& name) {
    return std::get<IntegerDense>(node_named(graph, name).operation).weights.grid.bits;
  };
  CHECK(bits_of("block") == 4);
  CHECK_FALSE(
      verify(model, graph, values).float_layers.empty());  // the batch norm between them has no quantizer behind it

  freeze_batch_norm(model, true);
  const Tensor statistics = model.state_dict().at("block/norm/moving_mean");
  model.forward(values, {.training = true});
  CHECK(identical(model.state_dict().at("block/norm/moving_mean"), statistics));
  freeze_batch_norm(model, false);
  model.forward(values, {.training = true});
  CHECK_FALSE(identical(model.state_dict().at("block/norm/moving_mean"), statistics));

  CHECK_THROWS_WITH(attach_quantizers(model, {}), Contains("\"in\" is already a ActivationQuantizationHolder"));
  Model nested =
      Sequential(Block(std::make_unique<QuantizationWrapper>(Dense({.units = 3}), inner), std::make_unique<ReLU>()));
  nested.build({5});
  CHECK_THROWS_WITH(attach_quantizers(nested, {}), Contains("\"block1\" holds a QuantizationWrapper"));
}

TEST_CASE("a preserving holder passes on what is on the grid already") {
  Model model;
  auto x = model.add(ActivationQuantizationHolder(trainable_activation(4, 1)), model.input(), "in");
  x = model.add(Flatten(), x, "flatten");
  x = model.add(PreservingActivationQuantizationHolder(trainable_activation(4, 0.1), true), x, "bypassed");
  x = model.add(PreservingActivationQuantizationHolder(trainable_activation(2, 1)), x, "quantized");
  model.build({2, 2, 1});
  const Tensor values = Dice(4).tensor({20, 2, 2, 1}, -1, 1);
  const auto in = model.layer_as<ActivationQuantizationHolder>("in").quantizer().inferable();
  const auto last = model.layer_as<ActivationQuantizationHolder>("quantized").quantizer().inferable();
  const Tensor expected = last->dequantize(last->codes(in->dequantize(in->codes(values)).reshape({20, 4})));
  CHECK(identical(model.forward(values).value(), expected));
  CHECK(identical(evaluate(model, values), expected));
  CHECK(verify(model, convert2inferable(model), values).passed());

  const Model finalized = quantization_aware_training_finalize(model);
  for (const char* name : {"bypassed", "quantized"}) {
    const auto& holder = finalized.layer_as<PreservingActivationQuantizationHolder>(name);
    CHECK_FALSE(holder.quantizer().is_trainable());
    CHECK(holder.quantization_bypass() == (std::string(name) == "bypassed"));
  }
  CHECK(identical(evaluate(quantization_aware_training_finalize(finalized), values), expected));

  NodeQuantizationDispatcher dispatcher({{"kernel", trainable_weights(4, 1)}});
  model.add(QuantizationWrapper(Dense({.units = 2}), dispatcher, {.input_holder = "bypassed"}), x, "dense");
  model.build({2, 2, 1});
  CHECK_THROWS_WITH(model.forward(values), Contains("\"bypassed\" is bypassed"));
}

TEST_CASE("a quantizer without a conversion is an error, never dropped") {
  TrainableQuantizerWeightsConfig config;
  const auto model_with = [&](Stubborn::Answer answer) {
    NodeQuantizationDispatcher dispatcher;
    dispatcher.add_weight_quantizer("kernel", TrainablePtr(std::make_unique<Stubborn>(config, answer)));
    Model model;
    model.add(QuantizationWrapper(Dense({.units = 2}), dispatcher), model.input());
    return model.build({3});
  };
  CHECK_THROWS_WITH(quantization_aware_training_finalize(model_with(Stubborn::Answer::nothing)),
                    Contains("\"stubborn\"") && Contains("returned null"));
  CHECK_THROWS_WITH(convert2inferable(model_with(Stubborn::Answer::nothing)), Contains("returned null"));
  CHECK_THROWS_WITH(quantization_aware_training_finalize(model_with(Stubborn::Answer::wrong_target)),
                    Contains("ActivationSymmetricInferableQuantizer") && Contains("for Activation"));
  CHECK_THROWS_AS(quantization_aware_training_finalize(model_with(Stubborn::Answer::refusal)), NotImplementedError);
}

TEST_CASE("a name that is no weight of the layer is an error with those that are") {
  NodeQuantizationDispatcher dispatcher({{"scale", trainable_weights(4, 1)}});
  const auto building = [&](auto layer) {
    Model model;
    model.add(QuantizationWrapper(std::move(layer), dispatcher), model.input(), "it");
    model.build({3});
  };
  CHECK_THROWS_WITH(building(Gain()), Contains("\"it\"") && Contains("no weight \"scale\"") && Contains("it has gain"));
  CHECK_THROWS_WITH(building(Dense({.units = 2})), Contains("it has kernel, bias"));
  CHECK_THROWS_WITH(building(ReLU()), Contains("it has none"));
}

TEST_CASE("several weight quantizers and an output quantizer in one wrapper") {
  const Shape input{2};
  Random random(3);
  NodeQuantizationDispatcher dispatcher({{"kernel", trainable_weights(3, 1)}, {"bias", trainable_weights(5, 2)}},
                                        {trainable_activation(4, 2)});
  QuantizationWrapper wrapper(Dense({.units = 3}), dispatcher);
  wrapper.build({&input, 1}, random);
  for (float& value : wrapper.layer().weight("bias")->value().span<float>()) value = 0.7F;
  const auto quantized = [&](const char* weight) {
    const auto quantizer = wrapper.dispatcher().weight_quantizer(weight)->inferable();
    return quantizer->dequantize(quantizer->codes(wrapper.layer().weight(weight)->value()));
  };
  const Tensor x = Dice(3).tensor({4, 2}, -1, 1);
  const Variable y = dense(Variable(x), Variable(quantized("kernel")), Variable(quantized("bias")));
  const auto output = wrapper.dispatcher().activation_quantizers().front().inferable();
  const Tensor expected = output->dequantize(output->codes(y.value()));
  CHECK(identical(wrapper.forward(Variable(x)).value(), expected));
  wrapper.convert_to_inferable_quantizers();
  CHECK(wrapper.parameters().size() == 2);
  Model model;
  model.add(wrapper, model.input());
  model.build({2});
  CHECK(identical(evaluate(model, x), expected));
}
