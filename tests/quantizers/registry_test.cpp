#include <catch2/catch.hpp>

#include <algorithm>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/register.hpp>

#include "support.hpp"

namespace mine {

using namespace bitgrad;

/// A user's quantizer, written with Variable arithmetic: symmetric with a learned threshold.
class MyWeightsTrainingQuantizer
    : public TrainableQuantizer<MyWeightsTrainingQuantizer, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "mine");
  explicit MyWeightsTrainingQuantizer(const TrainableQuantizerWeightsConfig& config) : TrainableQuantizer(config) {}

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    add_quantizer_variable(
        "t", std::make_shared<Parameter>(std::string(name) + "_t", config().param("threshold").to(DType::float32),
                                         ParameterGroup::qparams));
  }
  Variable operator()(const Variable& x, bool) override {
    const double levels = 1 << (config().n_bits - 1);
    const Variable step = variable_of(get_quantizer_variable("t")) / levels;
    return step * clip(ste_round(x / step), -levels, levels - 1);
  }
  InferablePtr convert2inferable() const override {
    return std::make_unique<WeightsSymmetricInferableQuantizer>(WeightsSymmetricInferableQuantizer::Options{
        .num_bits = config().n_bits, .threshold = {get_quantizer_variable("t")->value().item()}});
  }
};

/// Serves what MyWeightsTrainingQuantizer serves as well.
class Rival : public MyWeightsTrainingQuantizer {
 public:
  using MyWeightsTrainingQuantizer::MyWeightsTrainingQuantizer;
};

}  // namespace mine

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

constexpr auto weights = QuantizationTarget::Weights;
constexpr auto activation = QuantizationTarget::Activation;
constexpr auto symmetric = QuantizationMethod::SYMMETRIC;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TEST_CASE("marks say what a class quantizes and how") {
  constexpr QuantizerMark mark = mark_quantizer(weights, {symmetric, QuantizationMethod::UNIFORM}, "some");
  STATIC_REQUIRE(mark.target == weights);
  STATIC_REQUIRE(mark.serves(symmetric));
  STATIC_REQUIRE_FALSE(mark.serves(QuantizationMethod::POWER_OF_TWO));
  CHECK(describe(mark) == "Weights SYMMETRIC/UNIFORM \"some\"");
  STATIC_REQUIRE(MarkedQuantizer<mine::MyWeightsTrainingQuantizer>);
  STATIC_REQUIRE_FALSE(MarkedQuantizer<int>);
  STATIC_REQUIRE_FALSE(MarkedQuantizer<BaseTrainableQuantizer>);
}

TEST_CASE("methods by name") {
  CHECK(parse_method("SYMMETRIC") == symmetric);
  CHECK(parse_method("pot") == QuantizationMethod::POWER_OF_TWO);
  CHECK(parse_method("lut-symmetric") == QuantizationMethod::LUT_SYM_QUANTIZER);
  for (int i = 0; i < 5; ++i) {
    const auto method = static_cast<QuantizationMethod>(i);
    CHECK(parse_method(name_of(method)) == method);
  }
  CHECK_THROWS_WITH(parse_method("symetric"), Contains("symetric") && Contains("did you mean \"symmetric\""));
}

TEST_CASE("look-ups name what is wrong and the nearest") {
  CHECK(get_trainable_quantizer_class(weights, "lsq", symmetric).class_name == "LearnedStepWeightsQuantizer");
  CHECK(get_inferable_quantizer_class(activation, QuantizationMethod::UNIFORM) ==
        "ActivationUniformInferableQuantizer");
  CHECK_THROWS_WITH(get_trainable_quantizer_class(weights, "mct-lsk", symmetric),
                    Contains("Weights SYMMETRIC \"mct-lsk\"") && Contains("did you mean \"mct-lsq\""));
  CHECK_THROWS_WITH(get_trainable_quantizer_class(activation, "mct-ste", QuantizationMethod::LUT_POT_QUANTIZER),
                    Contains("LUT_POT_QUANTIZER") && Contains("STESymmetricActivationTrainableQuantizer"));
  CHECK_THROWS_WITH(get_inferable_quantizer_class(activation, QuantizationMethod::LUT_SYM_QUANTIZER),
                    Contains("Activation LUT_SYM_QUANTIZER"));
  for (const char* identifier : {"lsq", "mct-lsq", "mct-ste"}) CHECK(contains(trainable_identifiers(), identifier));
  const auto identifiers = trainable_identifiers();
  CHECK(std::is_sorted(identifiers.begin(), identifiers.end()));
  CHECK(std::adjacent_find(identifiers.begin(), identifiers.end()) == identifiers.end());
}

TEST_CASE("a quantizer of one's own: registered once, then known by name") {
  register_quantizer<mine::MyWeightsTrainingQuantizer>();
  CHECK(contains(trainable_identifiers(), "mine"));
  CHECK(get_trainable_quantizer_class(weights, "mine", symmetric).class_name == "mine::MyWeightsTrainingQuantizer");
  CHECK_THROWS_WITH(register_quantizer<mine::MyWeightsTrainingQuantizer>(),
                    Contains("mine::MyWeightsTrainingQuantizer") && Contains("already registered"));

  const TrainablePtr quantizer = make_trainable("mine", weights_config({.bits = 3, .threshold = {1}}));
  quantizer->initialize_quantization(Shape{64}, "w");
  const Tensor x = scattered(Shape{64}, 2, 1.5);
  Tape tape;
  const Variable y = (*quantizer)(tape.watch(x), true);
  const InferablePtr converted = quantizer->convert2inferable();
  CHECK(identical(y.value(), converted->dequantize(converted->codes(x))));
  tape.backward(y, x);
  CHECK(quantizer->get_quantizer_variable("t")->gradient().item() != 0);
  const TrainablePtr copy = quantizer->clone();
  CHECK(dynamic_cast<mine::MyWeightsTrainingQuantizer*>(copy.get()));
  CHECK_THROWS_WITH(make_trainable("mine", weights_config({.threshold = {1}}), true),
                    Contains("no option freeze_quant_params"));
  CHECK_THROWS_WITH(make_trainable("mine", activation_config({.threshold = {1}})),
                    Contains("no trainable quantizer for Activation"));

  register_quantizer<mine::Rival>();
  CHECK_THROWS_WITH(get_trainable_quantizer_class(weights, "mine", symmetric),
                    Contains("several") && Contains("mine::MyWeightsTrainingQuantizer") && Contains("mine::Rival"));
}

TEST_CASE("every registered inferable class is read back by its name") {
  for (const InferableEntry& entry : inferable_quantizers()) {
    CAPTURE(entry.class_name);
    CHECK(entry.mark.identifier == inferable_identifier);
    CHECK_THROWS_WITH(inferable_from_json("{\"class\": \"" + entry.class_name + "\"}"),
                      Contains(entry.class_name) && Contains("missing"));
  }
}
