// Rules for single layers: by name, by type, bits alone, from a file.
#include <catch2/catch.hpp>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/inference/verify.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/qat/trainer.hpp>

#include <qat/inference_support.hpp>
#include <support/temporary_directory.hpp>
#include <support/tiny_data.hpp>

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

Model small_model() {
  Model model =
      Sequential(Conv2D({.filters = 4, .kernel = 3}), BatchNorm(), ReLU(), Conv2D({.filters = 6, .kernel = 3}), ReLU(),
                 Flatten(), Dense({.units = 8}), ReLU(), Dense({.units = 4}));
  return model.build({8, 8, 1}, 3);
}

Tensor pictures(Index count = 30) { return Dice(9).tensor({count, 8, 8, 1}, 0, 1); }

const WeightPlan& weight(const QuantizationPlan& plan, std::string_view layer, std::string_view name = "kernel") {
  for (const WeightPlan& entry : plan.weights)
    if (entry.layer == layer && entry.weight == name) return entry;
  throw ValueError("no such weight in the plan");
}

const ActivationPlan& activation(const QuantizationPlan& plan, std::string_view producer) {
  for (const ActivationPlan& entry : plan.activations)
    if (entry.producer == producer) return entry;
  throw ValueError("no such activation in the plan");
}

QuantizationPlan planned(std::vector<LayerOverride> overrides) {
  return plan_quantization(small_model(), pictures(),
                           {.weights = QuantizerSpec{.bits = 4},
                            .activations = QuantizerSpec{.bits = 4},
                            .overrides = std::move(overrides)});
}

}  // namespace

TEST_CASE("overrides by type, by name, and bits alone, and the later one wins") {
  const QuantizationPlan plan = planned({{.type = "Dense", .weights = parse_quantizer_spec("mct-ste:6:uniform")},
                                         {.pattern = "dense2", .weight_bits = 3},
                                         {.pattern = "conv*", .type = "Conv2D", .activation_bits = 5},
                                         {.pattern = "conv2", .weight_bits = 2, .activation_bits = 7},
                                         {.pattern = "input", .activation_bits = 6}});
  CHECK(weight(plan, "conv1").config.n_bits == 8);  // the first layer's, untouched
  CHECK(weight(plan, "conv2").config.n_bits == 2);
  CHECK(weight(plan, "conv2").identifier == "lsq");
  CHECK(weight(plan, "dense1").config.n_bits == 6);
  CHECK(weight(plan, "dense1").config.method == QuantizationMethod::UNIFORM);
  CHECK(weight(plan, "dense2").config.n_bits == 3);
  CHECK(weight(plan, "dense2").identifier == "mct-ste");
  CHECK(activation(plan, "relu1").config.n_bits == 5);  // what conv1 computes, behind batch norm and clamp
  CHECK(activation(plan, "relu2").config.n_bits == 7);
  CHECK(activation(plan, "relu3").config.n_bits == 8);  // only the last layer reads it
  CHECK(activation(plan, "input").config.n_bits == 6);
  CHECK(activation(planned({{.pattern = "*", .activation_bits = 2}}), "input").config.n_bits ==
        8);  // a wildcard means layers
}

TEST_CASE("every choice of a quantizer can be overridden for one layer") {
  const QuantizationPlan plain = planned({});
  const auto differs = [&](const char* spec) {
    INFO(spec);
    const QuantizationPlan plan = planned(
        {{.pattern = "conv2", .weights = parse_quantizer_spec(spec), .activations = parse_quantizer_spec(spec)}});
    // 36 weights per channel are too few for kl.
    const bool too_few = std::string_view(spec).find("kl") != std::string_view::npos;
    CHECK((QuantizationPlan{{weight(plan, "conv2")}, {}}.to_json() ==
           QuantizationPlan{{weight(plain, "conv2")}, {}}.to_json()) == too_few);
    CHECK(QuantizationPlan{{weight(plan, "dense1")}, {}}.to_json() ==
          QuantizationPlan{{weight(plain, "dense1")}, {}}.to_json());
    if (std::string_view(spec).find("per-tensor") != std::string_view::npos) return;
    CHECK(QuantizationPlan{{}, {activation(plan, "relu2")}}.to_json() !=
          QuantizationPlan{{}, {activation(plain, "relu2")}}.to_json());
    CHECK(QuantizationPlan{{}, {activation(plan, "relu1")}}.to_json() ==
          QuantizationPlan{{}, {activation(plain, "relu1")}}.to_json());
  };
  for (const char* spec : {"lsq:5", "mct-ste:4", "lsq-pot:4", "lsq-plus:4:uniform", "lsq:4:per-tensor", "lsq:4:minmax",
                           "lsq:4:percentile=90", "lsq:4:kl"})
    differs(spec);
}

TEST_CASE("the configuration's calibration serves specs that name none, and the input keeps its range") {
  const auto threshold = [](const QuantizationConfig& config, const char* producer) {
    return activation(plan_quantization(small_model(), pictures(), config), producer).config.param("threshold").item();
  };
  QuantizationConfig config{.calibration = Calibration{CalibrationMethod::percentile, 60}};
  QuantizationConfig named;
  named.activations->calibration = config.calibration;
  CHECK(threshold(config, "relu1") == threshold(named, "relu1"));
  CHECK(threshold(config, "relu1") < threshold({}, "relu1"));
  CHECK(threshold(config, "input") == threshold({}, "input"));
  config.overrides = {{.pattern = "input", .activations = parse_quantizer_spec("lsq:8:percentile=60")},
                      {.pattern = "relu1", .activations = parse_quantizer_spec("lsq:8:mse")}};
  CHECK(threshold(config, "input") < threshold({}, "input"));
  CHECK(threshold(config, "relu1") == threshold({}, "relu1"));
}

TEST_CASE("an override that reaches nothing says what it could have reached") {
  const auto refused = [](LayerOverride rule, const auto& matcher) {
    CHECK_THROWS_WITH(planned({{.pattern = "conv2", .weight_bits = 4}, std::move(rule)}),
                      Contains("override 2") && matcher);
  };
  refused({.pattern = "conv9", .weight_bits = 4},
          Contains("(layer \"conv9\") matches no layer") && Contains("did you mean \"conv1\"?"));
  refused({.type = "Desne", .weight_bits = 4},
          Contains("(type \"Desne\")") && Contains("did you mean \"Dense\"?") && Contains("Conv2D"));
  refused({.pattern = "conv1", .type = "Dense", .weight_bits = 4},
          Contains("(layer \"conv1\", type \"Dense\") matches no layer"));
  refused({.weight_bits = 4}, Contains("names neither a layer nor a type"));
  refused({.pattern = "conv1"}, Contains("says nothing"));
  refused({.pattern = "relu1", .weight_bits = 4},
          Contains("no layer that it matches has a kernel; these have: conv1, conv2, dense1, dense2"));
  refused({.pattern = "dense2", .activation_bits = 4},
          Contains("quantizes activations") && Contains("these do: input, relu1, relu2, relu3"));
  refused({.pattern = "relu1", .keep_float = true}, Contains("keeps layers in float"));
  refused({.pattern = "conv1", .weight_bits = 4, .keep_float = true}, Contains("expected one of the two"));
  refused({.pattern = "conv1", .weights = QuantizerSpec{}, .weight_bits = 4}, Contains("both a quantizer and bits"));
  refused({.pattern = "conv1", .weight_bits = 17}, Contains("bits are 17, expected 1 to 16"));
  refused({.pattern = "conv1", .other_weights = {{"gain", {}}}}, Contains("no weight \"gain\"; it has kernel, bias"));
  refused({.pattern = "*", .other_weights = {{"gain", {}}}}, Contains("quantizes \"gain\", but no layer"));
  refused({.pattern = "conv1", .other_weights = {{"kernel", {}}}}, Contains("belongs into weights"));
  refused(
      {.pattern = "conv1", .weights = QuantizerSpec{.calibration = Calibration{CalibrationMethod::percentile, 101}}},
      Contains("percentage is 101"));
  const QuantizationConfig none{.weights = {}, .overrides = {{.pattern = "conv2", .weight_bits = 4}}};
  CHECK_THROWS_WITH(plan_quantization(small_model(), pictures(), none),
                    Contains("gives bits to weights that have no quantizer"));
}

TEST_CASE("the example of docs/quantization.md is a file of mixed precision that works") {
  const std::string page = io::read_text_file(std::string(BITGRAD_TEST_DIR) + "/../docs/quantization.md");
  const std::size_t begin = page.find("```json\n") + 8, end = page.find("```", begin);
  REQUIRE(begin > 8);
  const std::string text = page.substr(begin, end - begin);
  const std::vector<LayerOverride> rules = parse_bits(text, "example");
  REQUIRE(rules.size() == 7);
  CHECK(bits_json(parse_bits(bits_json(rules), "again")) == bits_json(rules));

  Model model = models::make("fashion_cnn", {8, 8, 1}, 4);
  model.build({8, 8, 1}, 1);
  const QuantizationPlan plan = plan_quantization(model, pictures(), {.overrides = rules});
  CHECK(weight(plan, "dense1").config.n_bits == 8);
  CHECK(weight(plan, "conv2").config.n_bits == 3);
  CHECK(weight(plan, "conv3").config.method == QuantizationMethod::POWER_OF_TWO);
  CHECK(activation(plan, "input").config.n_bits == 6);
  Model quantized = attach_quantizers(model, plan);
  fit(quantized, support::tiny_dataset(64), quantized_training({.epochs = 2, .batch = 16}));
  const VerifyReport report = verify(quantized, convert2inferable(quantized), pictures());
  CHECK(report.passed());
  CHECK(report.float_layers == std::vector<std::string>{"relu4", "dense2"});  // what dense2 alone reads as well
}

TEST_CASE("a file of mixed precision is read strictly") {
  const auto refused = [](const std::string& rule, const auto& matcher) {
    INFO(rule);
    CHECK_THROWS_WITH(
        parse_bits(R"({"format": "bitgrad.bits", "version": 1, "rules": [{"layer": "a", "weights": 4}, )" + rule + "]}",
                   "b.json"),
        Contains("b.json") && matcher);
  };
  refused(R"({"layer": "a", "wieghts": 4})",
          Contains("rules[1]: unknown member \"wieghts\" (did you mean \"weights\"?"));
  refused(R"({"layer": "a", "weights": 17})", Contains("rules[1]: \"weights\" is 17, expected 1 to 16 bits"));
  refused(R"({"layer": "a", "weights": 4.5})", Contains("\"weights\" is 4.5"));
  refused(R"({"layer": "a", "weights": "lsk:4"})",
          Contains("rules[1]: \"weights\"") && Contains("unknown quantizer \"lsk\""));
  refused(R"({"layer": "a", "weights": "none"})", Contains("\"float\": true"));
  refused(R"({"weights": 4})", Contains("names neither \"layer\" nor \"type\""));
  refused(R"({"layer": 3})", Contains("\"layer\" is 3, expected a string"));
  refused(R"({"layer": "a", "other_weights": {"gain": 4}})", Contains("other_weights: \"gain\" is 4"));
  refused(R"({"layer": "a", "float": 1})", Contains("\"float\" is 1, expected true or false"));
  refused("7", Contains("expected a list of objects"));
  CHECK_THROWS_WITH(parse_bits(R"({"format": "bitgrad.bits", "version": 2, "rules": []})", "b.json"),
                    Contains("version 2, expected"));
  CHECK_THROWS_WITH(parse_bits(R"({"format": "bits", "version": 1, "rules": []})", "b.json"),
                    Contains("format is \"bits\""));
  CHECK_THROWS_WITH(parse_bits("{\n\"rules\": [,]}", "b.json"), Contains("line 2, column"));
  CHECK_THROWS_AS(read_bits_file("nowhere/bits.json"), IoError);
  // Errors about the model name the entry as well.
  CHECK_THROWS_WITH(
      planned(parse_bits(R"({"format": "bitgrad.bits", "version": 1, "rules": [{"layer": "conv7", "weights": 4}]})",
                         "b.json")),
      Contains("b.json: rules[0] (layer \"conv7\") matches no layer") && Contains("did you mean \"conv"));
}
