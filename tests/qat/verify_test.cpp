#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>

#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>
#include <bitgrad/qat/inference/detail/likely_cause.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>

#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

Tensor pictures(const Shape& shape, Index count, unsigned seed) {
  return Dice(seed).tensor(shape.prepended(count), 0, 1);
}

/// Weights and statistics as training might leave them.
void stir(Model& model, unsigned seed) {
  Dice dice(seed);
  for (const NamedParameter& p : model.parameters())
    for (float& value : p.parameter->value().span<float>()) {
      if (p.name.ends_with("gamma")) value = dice.real(-0.5F, 2.0F);
      if (p.name.ends_with("beta") || p.name.ends_with("bias")) value = dice.real(-0.5F, 0.5F);
    }
  for (const NamedBuffer& b : model.buffers()) {
    Tensor values = b.value;
    if (values.dtype() != DType::float32) continue;  // a mask
    for (float& value : values.span<float>())
      value = b.name.ends_with("variance") ? dice.real(0.2F, 2) : dice.real(-0.5F, 0.5F);
  }
}

Model plain_model() {
  Model model = Sequential(Conv2D({.filters = 6, .kernel = 3}), BatchNorm(), ReLU(), MaxPool2D(),
                           Conv2D({.filters = 8, .kernel = 3, .bias = false}), BatchNorm(), ReLU6(), Flatten(),
                           Dense({.units = 10}), ReLU(), Dense({.units = 4}));
  model.build({8, 8, 1}, 1);
  stir(model, 2);
  return model;
}

Model branching_model() {
  Model model = Sequential(Conv2D({.filters = 5, .kernel = 3, .bias = false}), BatchNorm(), ReLU(),
                           residual(Sequential(Conv2D({.filters = 5, .kernel = 3}), BatchNorm(), ReLU(),
                                               Conv2D({.filters = 5, .kernel = 3}))),
                           ReLU(), AveragePool2D({.window = 2}), Conv2D({.filters = 7, .kernel = 1}), Sigmoid(),
                           GlobalAveragePool2D(), Dense({.units = 3}));
  model.build({8, 6, 2}, 3);
  stir(model, 4);
  return model;
}

/// Depthwise convolutions with and without bias, normalisation and several outputs per channel, groups, dilation.
Model depthwise_model() {
  Model model = Sequential(Conv2D({.filters = 6, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(),
                           DepthwiseConv2D({.kernel = 3, .bias = false}), BatchNorm(), ReLU6(),
                           Conv2D({.filters = 8, .kernel = 1}), BatchNorm(),
                           DepthwiseConv2D({.kernel = 2, .depth_multiplier = 2, .stride = 2}), ReLU(),
                           Conv2D({.filters = 6, .kernel = 3, .dilation = {2, 1}, .groups = 2}), BatchNorm(), ReLU(),
                           GlobalAveragePool2D(), Dense({.units = 3}));
  model.build({9, 8, 2}, 3);
  stir(model, 6);
  return model;
}

/// Activations that become tables.
Model tables_model() {
  Model model =
      Sequential(Conv2D({.filters = 6, .kernel = 3}), BatchNorm(), HardSwish(), DepthwiseConv2D({.kernel = 3}),
                 LeakyReLU({.slope = 0.2F}), Conv2D({.filters = 5, .kernel = 1}), GELU(),
                 Conv2D({.filters = 4, .kernel = 3}), HardSigmoid(), GlobalAveragePool2D(), Dense({.units = 6}), Tanh(),
                 Dense({.units = 5}), Pow({.exponent = 3}), Dense({.units = 3}));
  model.build({6, 5, 2}, 3);
  stir(model, 8);
  return model;
}

/// Convolutions of sequences, with and without normalisation, one behind the other and with tables in between.
Model sequence_model() {
  Model model = Sequential(
      Conv1D({.filters = 6, .kernel = 3, .stride = 2, .bias = false}), BatchNorm(), ReLU(),
      Conv1D({.filters = 8, .kernel = 2, .padding = Padding::explicit_(0, 0, 2, 0), .dilation = 2}),
      Conv1D({.filters = 6, .kernel = 3, .groups = 2}), BatchNorm(), HardSwish(), Flatten(), Dense({.units = 3}));
  model.build({12, 3}, 3);
  stir(model, 12);
  return model;
}

/// Images made larger by repeating pixels: behind a convolution and its activation, between quantizer and convolution.
Model growing_model() {
  Model model = Sequential(Conv2D({.filters = 4, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(), UpSampling2D(),
                           Conv2D({.filters = 5, .kernel = 3}), UpSampling2D({.factor = {1, 3}}), ReLU(),
                           Conv2D({.filters = 3, .kernel = 3}), ReLU(), GlobalAveragePool2D(), Dense({.units = 3}));
  model.build({6, 4, 2}, 3);
  stir(model, 14);
  return model;
}

/// Images made larger by transposed convolutions: with normalisation, with kernels smaller and larger than the stride,
/// behind an activation that is a table.
Model decoder_model() {
  Model model = Sequential(
      Conv2D({.filters = 4, .kernel = 3, .stride = 2}), BatchNorm(), ReLU(),
      Conv2DTranspose({.filters = 5, .kernel = 3, .stride = 2, .bias = false}), BatchNorm(), ReLU(),
      Conv2DTranspose({.filters = 3, .kernel = {2, 1}, .stride = {1, 2}, .padding = Padding::valid()}), HardSwish(),
      Conv2DTranspose({.filters = 4, .kernel = 3, .padding = Padding::explicit_(1, 1, 2, 0), .dilation = {1, 2}}),
      ReLU(), GlobalAveragePool2D(), Dense({.units = 3}));
  model.build({6, 4, 2}, 3);
  stir(model, 16);
  return model;
}

Tensor chequers(const Shape& shape) {
  Tensor mask(shape);
  for (Index i = 0; i < mask.size(); ++i) mask.data<float>()[i] = static_cast<float>(i % 3 == 0);
  return mask;
}

/// A choice between values of one grid: those of a layer and their maxima around.
Model choosing_model() {
  Model model;
  auto x = model.add(Conv2D({.filters = 4, .kernel = 3}), model.input());
  x = model.add(ReLU(), x);
  const auto around = model.add(MaxPool2D({.window = 3, .stride = 1, .padding = Padding::same()}), x);
  x = model.add(Where({.mask = chequers({6, 5, 4})}), {x, around});
  x = model.add(Conv2D({.filters = 5, .kernel = 3}), x);
  x = model.add(ReLU(), x);
  x = model.add(GlobalAveragePool2D(), x);
  x = model.add(Dense({.units = 6}), x);
  model.add(Dense({.units = 3}), x);
  model.build({6, 5, 2}, 3);
  stir(model, 18);
  return model;
}

/// A choice between values of two grids.
Model mixing_model() {
  Model model;
  const auto x = model.add(Conv2D({.filters = 4, .kernel = 3}), model.input());
  const auto a = model.add(ReLU(), x);
  const auto b = model.add(Conv2D({.filters = 4, .kernel = 1}), a);
  const auto y = model.add(Where({.mask = chequers({6, 5, 4})}), {a, b}, "choice");
  model.add(Dense({.units = 3}), model.add(GlobalAveragePool2D(), y));
  model.build({6, 5, 2}, 3);
  stir(model, 20);
  return model;
}

/// Layers without an integer form between layers that have one.
Model float_layers_model() {
  Model model =
      Sequential(Conv2D({.filters = 6, .kernel = 3}), LayerNorm(), ReLU(), Conv2D({.filters = 5, .kernel = 3}), ReLU(),
                 UpSampling2D({.interpolation = Interpolation::bilinear}), Conv2D({.filters = 4, .kernel = 3}), ReLU(),
                 GlobalAveragePool2D(), Dense({.units = 8}), LayerNorm(), Dense({.units = 3}));
  model.build({6, 5, 2}, 3);
  stir(model, 10);
  return model;
}

Model quantized(const Model& model, const std::string& weights, const std::string& activations) {
  const QuantizationConfig config{.weights = parse_quantizer_spec(weights),
                                  .activations = parse_quantizer_spec(activations)};
  return quantization_aware_training_init(model, pictures(model.input_shape(), 40, 5), config);
}

IntegerWeights& weights_writing(InferenceGraph& graph, const std::string& tensor) {
  auto& operation = const_cast<GraphOperation&>(node_writing(graph, tensor).operation);
  auto* conv = std::get_if<IntegerConv2D>(&operation);
  return conv ? conv->weights : std::get<IntegerDense>(operation).weights;
}

/// The graph with one number of an integer layer changed: change(weights, i) for the first i that shows in the tensor
/// (a ReLU may hide some).
template <class F>
InferenceGraph changed(const InferenceGraph& graph, const std::string& tensor, const Tensor& images, F&& change) {
  const std::size_t t = static_cast<std::size_t>(tensor_number(graph, tensor));
  const Tensor right = graph.run_all(images)[t];
  for (std::size_t i = 0; i < 50; ++i) {
    InferenceGraph copy = graph;
    IntegerWeights& weights = weights_writing(copy, tensor);
    weights.codes = weights.codes.clone();
    weights.bias = weights.bias.clone();
    change(weights, i);
    if (!identical(copy.run_all(images)[t], right)) return copy;
  }
  FAIL("no change shows in " << tensor);
  return graph;
}

}  // namespace

TEST_CASE("verify: no code differs, for every kind of quantizer and model") {
  struct Case {
    const char *weights, *activations;
  };
  const std::vector<Case> cases = {{"lsq:8", "lsq:8"},
                                   {"lsq-pot:4", "lsq-pot:4"},
                                   {"lsq-plus:3", "lsq-plus:5"},
                                   {"lsq-plus:4:uniform", "lsq:4"},
                                   {"dqa:3", "lsq:4"},
                                   {"dqa:4:uniform", "lsq-plus:8"},
                                   {"lsq:2", "lsq:4"},
                                   {"mct-ste:4:uniform", "mct-ste:4:uniform"},
                                   {"mct-lsq:3:symmetric:per-tensor", "mct-lsq:5:uniform"},
                                   {"mct-ste:8:pot", "mct-ste:2"}};
  for (const Model& source : {plain_model(), branching_model(), depthwise_model(), tables_model(), sequence_model(),
                              growing_model(), decoder_model(), choosing_model()})
    for (const Case& c : cases) {
      INFO(c.weights << " " << c.activations);
      Model model = quantized(source, c.weights, c.activations);
      const InferenceGraph graph = convert2inferable(model);
      const Tensor images = pictures(model.input_shape(), 61, 8);
      const VerifyReport report = verify(model, graph, images, {.batch = 25});
      INFO(report.describe());
      CHECK(report.passed());
      CHECK(!report.first_difference);
      CHECK(report.integer_engine_skipped.empty());
      CHECK(report.float_layers.empty());
      CHECK(report.samples == 61);
      // Four executions, every tensor that holds codes, and the logits.
      Index codes = 0;
      for (const GraphTensor& tensor : graph.tensors) codes += tensor.grid ? 61 * tensor.shape.size() : 0;
      codes += 61 * graph.tensors[static_cast<std::size_t>(graph.output)].shape.size();
      CHECK(report.codes_compared == 4 * codes);

      REQUIRE(report.training_forward.size() > 3);
      for (const LayerAgreement& layer : report.training_forward) {
        CHECK(layer.codes ==
              61 * graph.tensors[static_cast<std::size_t>(tensor_number(graph, layer.tensor))].shape.size());
        CHECK(layer.is_rounding());
      }
      for (const LayerCertificate& certificate : report.certificates) CHECK(certificate.int32_safe);

      // Finalized or not, the graph is the same, and passes alone.
      Model finalized = quantization_aware_training_finalize(model);
      CHECK(convert2inferable(finalized).describe() == graph.describe());
      CHECK(verify(finalized, graph, images.rows(0, 5)).passed());
      CHECK(verify(graph, images.rows(0, 5)).passed());
    }
}

TEST_CASE("verify: layers without an integer form are float between codes, and named") {
  for (const auto& [weights, activations] : {std::pair{"lsq:8", "lsq:8"}, {"lsq:4", "lsq-plus:4"}}) {
    Model model = quantized(float_layers_model(), weights, activations);
    const InferenceGraph graph = convert2inferable(model);
    const VerifyReport report = verify(model, graph, pictures(model.input_shape(), 40, 8), {.batch = 13});
    INFO(report.describe());
    CHECK(report.passed());
    CHECK(report.differing_codes == 0);
    CHECK(report.float_layers == std::vector<std::string>{"layer_norm1", "relu1", "upsampling1", "layer_norm2"});
    CHECK(report.integer_engine_skipped.find("layer_norm1") != std::string::npos);
    // Every tensor that enters or leaves them has codes.
    for (const GraphNode& node : graph.nodes)
      if (std::holds_alternative<FloatLayerNorm>(node.operation)) {
        const auto before = std::ranges::find(graph.nodes, node.inputs[0], &GraphNode::output);
        CHECK(std::holds_alternative<DequantizeOp>(before->operation));
      }
    CHECK(convert2inferable(quantization_aware_training_finalize(model)).describe() == graph.describe());
  }
}

TEST_CASE("verify: a choice between values of two grids is float between codes, and named") {
  Model model = quantized(mixing_model(), "lsq:8", "lsq:8");
  const InferenceGraph graph = convert2inferable(model);
  const VerifyReport report = verify(model, graph, pictures(model.input_shape(), 40, 8), {.batch = 13});
  INFO(report.describe());
  CHECK(report.passed());
  CHECK(report.float_layers == std::vector<std::string>{"choice"});
  CHECK(convert2inferable(quantization_aware_training_finalize(model)).describe() == graph.describe());
}

TEST_CASE("verify finds one changed number and names the tensor") {
  Model model = quantized(plain_model(), "lsq:8", "lsq:8");
  const InferenceGraph graph = convert2inferable(model);
  const Tensor images = pictures(model.input_shape(), 30, 8);
  REQUIRE(verify(model, graph, images).passed());
  std::vector<std::string> tensors;
  for (const GraphNode& node : graph.nodes)
    if (std::holds_alternative<IntegerConv2D>(node.operation) || std::holds_alternative<IntegerDense>(node.operation))
      tensors.push_back(graph.tensors[static_cast<std::size_t>(node.output)].name);
  REQUIRE(tensors.size() == 4);
  const auto finds = [&](const std::string& tensor, const InferenceGraph& wrong, const std::string& field) {
    const VerifyReport report = verify(model, wrong, images, {.batch = 7});
    INFO(report.describe());
    CHECK(!report.passed());
    CHECK(report.differing_codes > 0);
    REQUIRE(report.first_difference);
    CHECK(report.first_difference->tensor == tensor);
    CHECK(report.first_difference->executor == "evaluate");
    CHECK(report.first_difference->expected != report.first_difference->found);
    CHECK_THAT(report.describe(), Catch::Contains("FAILED") && Catch::Contains(tensor));
    CHECK_THAT(report.describe(),
               Catch::Contains("\nlikely cause: node \"") &&
                   Catch::Contains("\" of the graph has not the model's " + field + ": the model was"));
    const bool logits = tensor == tensors.back();
    CHECK(report.first_difference->kind == (logits ? CodeDifference::Kind::float_bits : CodeDifference::Kind::code));
    // The place is the first one: recompute it from both graphs.
    const std::size_t t = static_cast<std::size_t>(tensor_number(graph, tensor));
    const Tensor right = graph.run_all(images)[t], changed_codes = wrong.run_all(images)[t];
    const Index size = right.size() / images.dim(0);
    Index first = 0;
    while (std::memcmp(right.bytes() + 4 * first, changed_codes.bytes() + 4 * first, 4) == 0) ++first;
    CHECK(report.first_difference->sample == first / size);
    CHECK(report.first_difference->element == first % size);
    CHECK(report.first_difference->shape == graph.tensors[t].shape);
  };
  for (const std::string& tensor : tensors) {
    finds(tensor,
          changed(graph, tensor, images,
                  [](IntegerWeights& w, std::size_t i) {
                    std::int32_t& code = w.codes.data<std::int32_t>()[i];
                    code += code < w.grid.hi ? 1 : -1;
                  }),
          "codes");
    finds(
        tensor,
        changed(graph, tensor, images,
                [](IntegerWeights& w, std::size_t i) { w.bias.data<std::int32_t>()[i % w.multiplier.size()] += 500; }),
        "bias");
    finds(tensor,
          changed(graph, tensor, images,
                  [](IntegerWeights& w, std::size_t i) { w.multiplier[i % w.multiplier.size()] *= 1.01F; }),
          "multiplier");
  }
  finds(tensors[0],
        changed(graph, tensors[0], images,
                [](IntegerWeights& w, std::size_t i) { w.clamp_hi -= static_cast<std::int32_t>(100 + i); }),
        "clamp");
  InferenceGraph scaled = graph;  // the grid of the input
  scaled.tensors[static_cast<std::size_t>(graph.integer_input())].grid->scale[0] *= 1.001F;
  finds(graph.tensors[static_cast<std::size_t>(graph.integer_input())].name, scaled, "output grid");
}

TEST_CASE("verify names the place of a difference along the axes, and prints floats as floats") {
  CodeDifference difference{.tensor = "relu1/out",
                            .shape = {4, 5, 3},
                            .sample = 9,
                            .element = (2 * 5 + 4) * 3 + 1,
                            .expected = 8,
                            .found = -7,
                            .executor = "evaluate",
                            .cause = ""};
  CHECK(difference.describe() ==
        "tensor \"relu1/out\", sample 9, y 2, x 4, channel 1: evaluate gives -7, the naive executor 8");
  difference.kind = CodeDifference::Kind::float_bits;
  difference.expected = std::bit_cast<std::int32_t>(0.1F);
  difference.found = std::bit_cast<std::int32_t>(std::nextafter(0.1F, 0.0F));
  difference.shape = {50};
  CHECK_THAT(difference.describe(),
             Catch::EndsWith("sample 9, channel 43: evaluate gives 0.099999994, the naive executor 0.1"));
  difference.shape = {10, 5};
  CHECK_THAT(difference.describe(), Catch::Contains("sample 9, position 8, channel 3: "));
}

TEST_CASE("the table of accumulators has the channel of the worst") {
  VerifyReport report;
  report.certificates = {{.layer = "conv",
                          .worst_accumulator = 119,
                          .channel = 7,
                          .int32_safe = true,
                          .float32_exact = true,
                          .attaining_input = {}}};
  CHECK_THAT(report.describe(), Catch::Contains("  worst accumulator  channel  int32  float32\n"
                                                "conv                  119        7  safe   exact\n"
                                                "worst: the largest sum that any input can bring about"));
}

TEST_CASE("verify's likely cause: an engine alone, both, evaluation alone") {
  const InferenceGraph graph = convert2inferable(quantized(plain_model(), "lsq:8", "lsq:8"));
  const int t = graph.nodes[1].output;
  const auto cause = [&](const std::set<std::string>& executors, const InferenceGraph* live = nullptr) {
    return inference::likely_cause(graph, live, t, executors);
  };
  const std::string node = message("integer_conv2d \"", graph.nodes[1].name, "\" in mode ort");
  CHECK_THAT(cause({"integer engine"}), Catch::StartsWith("only the integer engine differs: its kernels for " + node));
  CHECK_THAT(cause({"integer engine"}), Catch::Contains(std::string(kernels::name_of(kernels::active_isa()))));
  CHECK_THAT(cause({"evaluate", "float engine"}), Catch::StartsWith("only the float engine differs"));
  CHECK_THAT(cause({"evaluate", "float engine", "integer engine"}),
             Catch::StartsWith("both engines differ from the naive executor") && Catch::Contains(node));
  CHECK_THAT(cause({"evaluate"}, &graph), Catch::Contains("the same numbers in the model and in the graph"));
  CHECK(inference::differing_fields(graph.nodes[0], graph.nodes[1]) == std::vector<std::string>{"operation"});
}

TEST_CASE("the training forward of a layer is fed the graph's codes: a wrong layer does not blame those behind it") {
  Model model = quantized(plain_model(), "lsq:8", "lsq:8");
  const InferenceGraph graph = convert2inferable(model);
  const Tensor images = pictures(model.input_shape(), 20, 3);
  const InferenceGraph wrong = changed(graph, "relu1/out", images, [](IntegerWeights& w, std::size_t) {
    for (std::int32_t& bias : w.bias.span<std::int32_t>()) bias += 30000;
  });
  const VerifyReport report = verify(model, wrong, images);
  for (const LayerAgreement& layer : report.training_forward) {
    INFO(layer.tensor << ' ' << layer.differing << " of " << layer.codes);
    if (layer.tensor == "relu1/out") CHECK(layer.largest_step > 10);
    CHECK(layer.is_rounding() == (layer.tensor != "relu1/out"));
  }
  const std::string text = report.describe(), mark = "MORE THAN ROUNDING";
  CHECK(text.find(mark) != std::string::npos);
  CHECK(text.find(mark) == text.rfind(mark));
  CHECK(verify(model, graph, images, {.training_forward = false}).training_forward.empty());
}

TEST_CASE("verify refuses a graph of another model") {
  Model model = quantized(plain_model(), "lsq:4", "lsq:4");
  const InferenceGraph other = convert2inferable(quantized(branching_model(), "lsq:4", "lsq:4"));
  CHECK_THROWS_AS(verify(model, other, pictures({8, 6, 2}, 3, 1)), Error);
  CHECK_THROWS_AS(verify(model, convert2inferable(model), pictures({8, 8, 2}, 3, 1)), ShapeError);
  CHECK_THROWS_AS(verify(model, convert2inferable(model), pictures({8, 8, 1}, 3, 1), {.batch = 0}), ValueError);
}

TEST_CASE("verify leaves nothing behind") {
  std::string own = (std::filesystem::temp_directory_path() / "bitgrad-test-XXXXXX").string();
  REQUIRE(mkdtemp(own.data()));
  const char* before = std::getenv("TMPDIR");
  const std::string restored = before ? before : "";
  setenv("TMPDIR", own.c_str(), 1);
  const InferenceGraph graph = RandomNetwork(2, 8).build();
  CHECK(verify(graph, Dice(1).tensor(graph.tensors[0].shape.prepended(2), 0, 1)).passed());
  CHECK(std::filesystem::is_empty(own));
  before ? setenv("TMPDIR", restored.c_str(), 1) : unsetenv("TMPDIR");
  std::filesystem::remove_all(own);
}

TEST_CASE("verify names layers left in float and says when the integer engine cannot take part") {
  Model source = plain_model();
  Model model = quantized(source, "none", "lsq:8");
  const VerifyReport report = verify(model, convert2inferable(model), pictures({8, 8, 1}, 20, 1));
  INFO(report.describe());
  CHECK(report.passed());
  CHECK(std::ranges::find(report.float_layers, "conv1") != report.float_layers.end());
  CHECK_THAT(report.integer_engine_skipped, Catch::Contains("float32"));
  CHECK_THAT(report.describe(), Catch::Contains("conv1") && Catch::Contains("outside the promise") &&
                                    Catch::Contains("without the integer engine"));
  const VerifyReport plain = verify(convert2inferable(source), pictures({8, 8, 1}, 2, 1));
  CHECK(plain.passed());
  CHECK(plain.codes_compared == 0);
}

TEST_CASE("certificate: the bound is attained by the input it names") {
  Index exact = 0, inexact = 0;
  for (unsigned seed = 500; seed < 550; ++seed) {
    const InferenceGraph graph = RandomNetwork(seed, seed % 2 ? 16 : 8).build();
    for (const GraphNode& node : graph.nodes) {
      const auto* conv = std::get_if<IntegerConv2D>(&node.operation);
      const auto* dense = std::get_if<IntegerDense>(&node.operation);
      if (!conv && !dense) {
        CHECK_THROWS_AS(certify(graph, node), ValueError);
        continue;
      }
      const IntegerWeights& weights = conv ? conv->weights : dense->weights;
      const Grid& grid = *graph.tensors[static_cast<std::size_t>(node.inputs[0])].grid;
      const LayerCertificate certificate = certify(graph, node);
      CHECK(certificate.layer == node.name);
      CHECK(certificate.int32_safe);
      (certificate.float32_exact ? exact : inexact) += 1;
      const Index out = weights.codes.dim(-1), k = weights.codes.size() / out;
      REQUIRE(static_cast<Index>(certificate.attaining_input.size()) == k);
      // The input's own accumulator, and those of other extreme inputs, which are never larger.
      const auto accumulate = [&](Index channel, const auto& code_at) {
        const auto& zeros = weights.grid.zero_point;
        std::int64_t sum = weights.bias.data<std::int32_t>()[channel];
        for (Index i = 0; i < k; ++i) {
          const std::int64_t w = weights.codes.data<std::int32_t>()[i * out + channel] -
                                 zeros[zeros.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
          sum += w * (code_at(i) - grid.zero_point[0]);
        }
        return std::abs(sum);
      };
      for (const std::int32_t code : certificate.attaining_input) CHECK((code == grid.lo || code == grid.hi));
      CHECK(accumulate(certificate.channel, [&](Index i) {
              return certificate.attaining_input[static_cast<std::size_t>(i)];
            }) == certificate.worst_accumulator);
      Dice dice(seed);
      for (int trial = 0; trial < 20; ++trial)
        for (Index c = 0; c < out; ++c)
          CHECK(accumulate(c, [&](Index) { return dice.chance(50) ? grid.lo : grid.hi; }) <=
                certificate.worst_accumulator);
    }
  }
  CHECK(exact > 10);
  CHECK(inexact > 3);
}

TEST_CASE("certificate of a layer worked out by hand") {
  InferenceGraphBuilder builder({3});
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(4, 1.0F, 5)));  // -5..10
  const WeightQuantizers quantizers = kernel_on(signed_grid(4, 1.0F));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  builder.set_layer_name("fc");
  const GraphValue y =
      builder.dense(x, {"kernel", floats({3, 2}, {7, 1, -8, -2, 0, 3})}, {"bias", floats({2}, {-4, -30})});
  const InferenceGraph graph = builder.finish(y);
  // channel 0: 70 + 40 - 4 = 106 up, -35 - 80 - 4 = -119 down
  const LayerCertificate certificate = certify(graph, graph.nodes.back());
  CHECK(certificate.worst_accumulator == 119);
  CHECK(certificate.channel == 0);
  CHECK(certificate.attaining_input[0] == 0);
  CHECK(certificate.attaining_input[1] == 15);
  CHECK(certificate.float32_exact);
}
