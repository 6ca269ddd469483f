// The promise of verify for every reference model, and in every requantization mode.
#include <catch2/catch.hpp>

#include <map>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/optimizer.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>

#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

constexpr Index classes = 4, count = 8;

/// Small samples that a model takes.
Shape small_shape(const std::string& name) {
  static const std::map<std::string, Shape> shapes{
      {"ds_cnn", {20, 10, 1}}, {"mobilenet_v1", {32, 32, 3}}, {"resnet20", {8, 8, 3}}, {"resnet8", {8, 8, 3}}};
  const auto found = shapes.find(name);
  return found != shapes.end() ? found->second : Shape{16, 16, 1};
}

data::Dataset some_images(const Shape& shape) {
  data::Dataset images{Tensor(shape.prepended(count), DType::uint8), Tensor({count}, DType::int32), classes, {}};
  Dice dice(7);
  for (std::uint8_t& pixel : images.images.span<std::uint8_t>())
    pixel = static_cast<std::uint8_t>(dice.integer(0, 255));
  for (std::int32_t& label : images.labels.span<std::int32_t>())
    label = static_cast<std::int32_t>(dice.integer(0, classes - 1));
  return images;
}

Model quantized(const Model& model, const Tensor& images, const std::string& weights = "lsq:4",
                const std::string& activations = "lsq:4") {
  const QuantizationConfig config{.weights = parse_quantizer_spec(weights),
                                  .activations = parse_quantizer_spec(activations)};
  return quantization_aware_training_init(model, images, config);
}

/// Every trainable number of a model.
std::vector<float> numbers_of(const Model& model) {
  std::vector<float> result;
  for (const NamedParameter& each : model.parameters())
    for (const float value : each.parameter->value().span<float>()) result.push_back(value);
  return result;
}

/// Codes of all samples in one execution of a graph, and the results of its last layer.
Index codes_of(const InferenceGraph& graph, Index samples) {
  Index codes = graph.tensors[static_cast<std::size_t>(graph.output)].grid
                    ? 0
                    : graph.tensors[static_cast<std::size_t>(graph.output)].shape.size();
  for (const GraphTensor& tensor : graph.tensors) codes += tensor.grid ? tensor.shape.size() : 0;
  return codes * samples;
}

/// evaluate, both engines, and the integer engine on codes compare everything, and nothing differs. `floats` are the
/// layers left in float.
void check_verifies(Model& model, const InferenceGraph& graph, const Tensor& images,
                    const std::vector<std::string>& floats = {}) {
  const VerifyReport report = verify(model, graph, images);
  INFO(report.describe());
  CHECK(report.differing_codes == 0);
  CHECK(report.passed());
  CHECK(report.float_layers == floats);
  CHECK(report.integer_engine_skipped.empty());
  CHECK(codes_of(graph, images.dim(0)) > 0);
  CHECK(report.codes_compared == 4 * codes_of(graph, images.dim(0)));
}

/// A branch, a sum, both kinds of average pooling and a table.
Model small_model() {
  Model model = Sequential(Conv2D({.filters = 5, .kernel = 3}), BatchNorm(), ReLU(),
                           residual(Sequential(Conv2D({.filters = 5, .kernel = 3}), BatchNorm(), ReLU())), ReLU(),
                           AveragePool2D({.window = 2}), DepthwiseConv2D({.kernel = 3}), HardSwish(),
                           Conv2D({.filters = 6, .kernel = 1}), ReLU(), GlobalAveragePool2D(), Dense({.units = 3}));
  model.build({8, 6, 2}, 3);
  return model;
}

}  // namespace

TEST_CASE("verify: every reference model, trained for a step, ships what evaluation computes") {
  std::vector<std::string> names = models::names();
  REQUIRE(names.size() >= 7);
  names.push_back("lenet5:normalized");
  for (const std::string& name : names) {
    INFO(name);
    const Shape shape = small_shape(name);
    const data::Dataset images = some_images(shape);
    const Tensor inputs = data::to_unit_range(images.images);
    Model source = models::make(name, shape, classes);
    source.build(shape, 1);
    source.load_state_dict(models::normalization_state(source, data::channel_statistics(images.images)),
                           LoadMode::partial);
    Model model = quantized(source, inputs);
    const std::vector<float> before = numbers_of(model);
    Trainer(model, images, {.epochs = 1, .batch = count}).fit();
    CHECK(numbers_of(model) != before);
    const bool normalized = name.ends_with(":normalized");  // in front of the first quantizer
    check_verifies(model, convert2inferable(model), inputs,
                   normalized ? std::vector<std::string>{"normalize"} : std::vector<std::string>{});
  }
}

TEST_CASE("verify: the autoencoder, trained for a step, ships what evaluation computes") {
  const Shape shape{40};
  Model source = models::autoencoder(shape);
  source.build(shape, 1);
  const Tensor x = Dice(3).tensor(shape.prepended(count), 0, 1);
  Model model = quantized(source, x);
  const std::vector<float> before = numbers_of(model);
  Sgd optimizer(group_parameters(model.parameters()), {.learning_rate = 1e-3});
  {
    Tape tape;
    tape.backward(mse(model.forward(x, {.training = true}), x));
  }
  optimizer.step();
  CHECK(numbers_of(model) != before);
  check_verifies(model, convert2inferable(model), x);
}

TEST_CASE("verify: model and graph agree in every requantization mode, or the mode is refused by name") {
  const Model source = small_model();
  const Tensor x = Dice(3).tensor(source.input_shape().prepended(30), 0, 1);
  for (const auto& [weights, activations, admitted] :
       {std::tuple{"lsq:4", "lsq:4", 5}, {"lsq:8", "lsq-plus:8", 5}, {"lsq:8", "lsq:9", 1}}) {
    Model model = quantized(source, x, weights, activations);
    int verified = 0;
    for (const RequantizationMode mode : requantization_modes()) {
      INFO(weights << ' ' << activations << ' ' << name_of(mode));
      InferenceGraph graph = convert2inferable(model);
      try {
        set_requantization(graph, mode);
      } catch (const NotImplementedError& refusal) {
        CHECK(mode != RequantizationMode::ort);
        CHECK(graph.mode == RequantizationMode::ort);
        CHECK_THAT(refusal.what(), Catch::Contains(std::string(name_of(mode))) && Catch::Contains("8 bits"));
        continue;
      }
      ++verified;
      CHECK(graph.mode == mode);
      check_verifies(model, graph, x);

      // A graph of another number in the same mode is found.
      for (GraphNode& node : graph.nodes)
        if (auto* dense = std::get_if<IntegerDense>(&node.operation)) {
          dense->weights.bias = dense->weights.bias.clone();
          dense->weights.bias.data<std::int32_t>()[0] += 1000;
        }
      CHECK(verify(model, graph, x).differing_codes > 0);
    }
    CHECK(verified == admitted);
  }
}
