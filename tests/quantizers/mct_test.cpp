// The reference's trainable quantizers beyond what the golden vectors show.
#include <catch2/catch.hpp>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/trainable/mct_lsq.hpp>
#include <bitgrad/quantizers/trainable/mct_ste.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

constexpr auto pot = QuantizationMethod::POWER_OF_TWO;
constexpr auto uniform = QuantizationMethod::UNIFORM;

std::vector<std::string> names(const BaseTrainableQuantizer& quantizer) {
  std::vector<std::string> result;
  for (const auto& variable : quantizer.variables()) result.push_back(variable.key + "=" + variable.parameter->name());
  return result;
}

/// Weights and activations, symmetric and uniform, of one identifier.
std::vector<TrainablePtr> family(std::string_view identifier) {
  std::vector<TrainablePtr> result;
  const Given threshold{.bits = 4, .threshold = {0.7, 0.3, 1.9}},
      ranges{.method = uniform, .min = {-0.7, -0.1, 0.2}, .max = {1.3, 2.2, 0.9}};
  const Given negative{.method = uniform, .min = {-2}, .max = {-0.3}};
  result.push_back(make_trainable(identifier, weights_config(threshold, 2)));
  result.push_back(make_trainable(identifier, weights_config(ranges, 2)));
  result.push_back(make_trainable(identifier, activation_config({.threshold = {1.1}})));
  result.push_back(make_trainable(identifier, activation_config({.threshold = {1.1}, .is_signed = false})));
  result.push_back(make_trainable(identifier, activation_config({.method = uniform, .min = {-0.5}, .max = {1.1}})));
  result.push_back(make_trainable(identifier, activation_config(negative)));
  for (const TrainablePtr& quantizer : result) {
    const bool weights = quantizer->marks().target == QuantizationTarget::Weights;
    quantizer->initialize_quantization(weights ? std::optional<Shape>(Shape{11, 3}) : std::nullopt, "w");
  }
  return result;
}

}  // namespace

TEST_CASE("variables and their names") {
  for (const std::string identifier : {"mct-ste", "mct-lsq"}) {
    const auto quantizers = family(identifier);
    using Names = std::vector<std::string>;
    CHECK(names(*quantizers[0]) == Names{"ptq_threshold_tensor=w_ptq_threshold_tensor"});
    CHECK(names(*quantizers[1]) == Names{"min=w_min", "max=w_max"});
    CHECK(names(*quantizers[2]) == Names{"ptq_threshold_tensor=w"});
    CHECK(names(*quantizers[4]) == Names{"min=w_min", "max=w_max"});
    const std::size_t learned = identifier == "mct-lsq" ? 1 : 0;
    CHECK(quantizers[0]->get_trainable_variables(ParameterGroup::qparams).size() == learned);
    CHECK(quantizers[1]->get_trainable_variables(ParameterGroup::qparams).size() == 2 * learned);
    CHECK(quantizers[2]->get_trainable_variables(ParameterGroup::qparams).size() == 1);
    CHECK(quantizers[4]->get_trainable_variables(ParameterGroup::qparams).size() == 2);
    CHECK(quantizers[0]->identifier() == identifier);
  }
}

TEST_CASE("gradient checks in double") {
  for (const std::string identifier : {"mct-ste", "mct-lsq"})
    for (const TrainablePtr& quantizer : family(identifier)) {
      std::vector<ParameterPtr> parameters;
      for (const auto& variable : quantizer->variables()) {
        variable.parameter->convert(DType::float64);
        if (variable.parameter->trainable()) parameters.push_back(variable.parameter);
      }
      CAPTURE(describe(quantizer->marks()));
      CHECK_NOTHROW(require_gradients([&](const std::vector<Variable>& in) { return (*quantizer)(in[0], true); },
                                      {scattered(Shape{11, 3}, 5, 2.5)}, parameters));
    }
}

TEST_CASE("in the ordinary uniform case the gradients of min and max are opposite") {
  const TrainablePtr quantizer =
      make_trainable("mct-ste", activation_config({.method = uniform, .min = {-0.5}, .max = {1.1}}));
  quantizer->initialize_quantization({}, "act");
  const Tensor x = scattered(Shape{50}, 4, 2);
  Tape tape;
  const Variable y = (*quantizer)(tape.watch(x), true);
  tape.backward(y, scattered(Shape{50}, 5));
  const double min = quantizer->get_quantizer_variable("min")->gradient().item();
  const double max = quantizer->get_quantizer_variable("max")->gradient().item();
  CHECK(std::abs(max) > 1e-3);
  CHECK(min == Approx(-max).epsilon(1e-4));
}

TEST_CASE("the gradient scale of activations counts the channels of each call, on any axis and for rank 1") {
  // Saturated elements: the unscaled gradient of the step is 7 per element, of the threshold 7/8.
  const auto gradient = [](int axis, const Shape& shape) {
    TrainableQuantizerActivationConfig config = activation_config({.bits = 4, .threshold = {1}});
    config.channels_axis = axis;
    const TrainablePtr quantizer = make_trainable("mct-lsq", config);
    quantizer->initialize_quantization({}, "act");
    Tape tape;
    const Tensor x = Tensor::full(shape, 9);
    const Variable y = (*quantizer)(tape.watch(x), true);
    tape.backward(y, Tensor::full(shape, 1));
    return quantizer->get_quantizer_variable("ptq_threshold_tensor")->gradient().item() / static_cast<double>(x.size());
  };
  CHECK(gradient(-1, Shape{2, 3, 5}) == Approx(7.0 / 8 / std::sqrt(7.0 * 5)));
  CHECK(gradient(1, Shape{2, 3, 5}) == Approx(7.0 / 8 / std::sqrt(7.0 * 3)));
  CHECK(gradient(-1, Shape{6}) == Approx(7.0 / 8 / std::sqrt(7.0 * 6)));
  CHECK_THROWS_WITH(gradient(1, Shape{6}), Contains("channels_axis"));
}

TEST_CASE("freezing is for straight-through activations only") {
  for (const Given& given : {Given{.threshold = {1}}, Given{.method = uniform, .min = {-1}, .max = {1}}}) {
    const TrainablePtr frozen = make_trainable("mct-ste", activation_config(given), true);
    frozen->initialize_quantization({}, "act");
    CHECK(frozen->freeze_quant_params());
    CHECK(frozen->get_trainable_variables(ParameterGroup::qparams).empty());
    frozen->variables()[0].parameter->set_trainable(true);
    CHECK_THROWS_AS(frozen->get_trainable_variables(ParameterGroup::qparams), StateError);
    CHECK_THROWS_WITH(make_trainable("mct-lsq", activation_config(given), true),
                      Contains("LSQ") && Contains("freeze_quant_params"));
    CHECK_THROWS_WITH(make_trainable("mct-ste", weights_config(given), true),
                      Contains("STE") && Contains("freeze_quant_params"));
  }
}

TEST_CASE("one bit signed LSQ is refused, the others work") {
  CHECK_THROWS_WITH(make_trainable("mct-lsq", weights_config({.bits = 1, .threshold = {1}})),
                    Contains("LSQWeightQATQuantizer") && Contains("1 bit signed"));
  CHECK_THROWS_WITH(make_trainable("mct-lsq", activation_config({.bits = 1, .threshold = {1}})),
                    Contains("1 bit signed"));
  CHECK_NOTHROW(make_trainable("mct-lsq", activation_config({.bits = 1, .threshold = {1}, .is_signed = false})));
  CHECK_NOTHROW(make_trainable("mct-ste", weights_config({.bits = 1, .threshold = {1}})));
  CHECK_NOTHROW(make_trainable("mct-lsq", weights_config({.method = uniform, .bits = 1, .min = {-1}, .max = {1}})));
}

TEST_CASE("power-of-two weights start at a power of two not below 2^-16, activations as configured") {
  const auto start = [](const TrainablePtr& quantizer) {
    quantizer->initialize_quantization({}, "w");
    return quantizer->variables()[0].parameter->value().item();
  };
  CHECK(start(make_trainable("mct-ste", weights_config({.method = pot, .threshold = {0.7}}))) == 1);
  CHECK(start(make_trainable("mct-lsq", weights_config({.method = pot, .threshold = {0}}))) == 0x1p-16);
  CHECK(start(make_trainable("mct-lsq", activation_config({.method = pot, .threshold = {0.7}}))) ==
        static_cast<double>(0.7F));
}

TEST_CASE("a learned threshold or range that became impossible cannot be converted") {
  const TrainablePtr threshold = make_trainable("mct-lsq", activation_config({.method = pot, .threshold = {1}}));
  threshold->initialize_quantization({}, "act");
  for (const float value : {-1.0F, 0.0F, not_a_number}) {
    threshold->variables()[0].parameter->value().fill(static_cast<double>(value));
    CHECK_THROWS_AS(threshold->convert2inferable(), ValueError);
  }
  const TrainablePtr range = make_trainable("mct-ste", activation_config({.method = uniform, .min = {-1}, .max = {1}}));
  range->initialize_quantization({}, "act");
  range->variables()[0].parameter->value().fill(2);
  CHECK_THROWS_WITH(range->convert2inferable(), Contains("[2, 1]") && Contains("min < max"));
}

TEST_CASE(
    "a learned threshold or range without a step is refused in training, a negative one trains on as in the "
    "reference") {
  const Tensor x = row({0.5F, -0.3F, 2});
  for (const std::string identifier : {"mct-ste", "mct-lsq"}) {
    const TrainablePtr threshold = make_trainable(identifier, activation_config({.threshold = {1}}));
    threshold->initialize_quantization({}, "act");
    for (const float value : {0.0F, 1e-45F, infinity, not_a_number}) {
      threshold->variables()[0].parameter->value().fill(static_cast<double>(value));
      CHECK_THROWS_WITH((*threshold)(x, true), Contains("\"act\" gives a step of"));
    }
    threshold->variables()[0].parameter->value().fill(-1);
    CHECK((*threshold)(x, true).value().data<float>()[0] == 0.5F);
    const TrainablePtr range =
        make_trainable(identifier, activation_config({.method = uniform, .min = {-1}, .max = {1}}));
    range->initialize_quantization({}, "act");
    const auto set = [&](float min, float max) {
      range->variables()[0].parameter->value().fill(static_cast<double>(min));
      range->variables()[1].parameter->value().fill(static_cast<double>(max));
    };
    for (const auto& [min, max] :
         {std::pair{0.5F, 0.5F}, {0.0F, 0.0F}, {0.5F, 0.0F}, {-1.0F, infinity}, {not_a_number, 1.0F}}) {
      set(min, max);
      CHECK_THROWS_WITH((*range)(x, true), Contains("\"act_max\" gives a step of"));
    }
    set(2, 1);
    CHECK((*range)(x, true).value().data<float>()[2] == 1);
  }
}

TEST_CASE("both ends of a range move in units of its width") {
  for (const std::string identifier : {"mct-ste", "mct-lsq"}) {
    const TrainablePtr range =
        make_trainable(identifier, activation_config({.method = uniform, .min = {0}, .max = {3}}));
    range->initialize_quantization({}, "act");
    for (const auto& variable : range->variables()) CHECK(variable.parameter->unit() == 3.0);
    const TrainablePtr threshold = make_trainable(identifier, activation_config({.threshold = {2}}));
    threshold->initialize_quantization({}, "act");
    CHECK_FALSE(threshold->variables()[0].parameter->unit().has_value());
  }
}

TEST_CASE("a straight-through weight follows its threshold after a state was loaded") {
  const TrainablePtr quantizer = make_trainable("mct-ste", weights_config({.bits = 4, .threshold = {8}}));
  quantizer->initialize_quantization(Shape{1}, "w");
  CHECK((*quantizer)(row({2.4F}), false).value().item() == 2);
  quantizer->variables()[0].parameter->assign(row({4}));
  CHECK((*quantizer)(row({2.4F}), false).value().item() == 2.5);
  CHECK(quantizer->convert2inferable()->grid().scale[0] == 0.5F);
}

TEST_CASE("copies have variables of their own") {
  const TrainablePtr quantizer = make_trainable("mct-lsq", activation_config({.threshold = {1}}));
  quantizer->initialize_quantization({}, "act");
  const TrainablePtr copy = quantizer->clone();
  REQUIRE(copy->variables().size() == 1);
  CHECK(copy->variables()[0].parameter->name() == "act");
  CHECK(copy->variables()[0].parameter->trainable());
  quantizer->variables()[0].parameter->value().fill(5);
  CHECK(copy->variables()[0].parameter->value().item() == 1);
  CHECK(copy->convert2inferable()->grid().scale[0] == 1.0F / 8);
}

TEST_CASE("configurations that do not fit are refused by name") {
  CHECK_THROWS_WITH(make_trainable("mct-ste", weights_config({.bits = 0, .threshold = {1}})), Contains("n_bits is 0"));
  CHECK_THROWS_WITH(make_trainable("mct-ste", weights_config({.bits = 17, .threshold = {1}})),
                    Contains("n_bits is 17"));
  CHECK_THROWS_WITH(make_trainable("mct-ste", weights_config({})), Contains("threshold") && Contains("it has nothing"));
  CHECK_THROWS_WITH(make_trainable("mct-ste", weights_config({.method = uniform, .min = {1}})),
                    Contains("range_max") && Contains("it has range_min"));
  TrainableQuantizerActivationConfig unsigned_unknown = activation_config({.threshold = {1}});
  unsigned_unknown.quantization_params.erase("is_signed");
  CHECK_THROWS_WITH(make_trainable("mct-ste", unsigned_unknown), Contains("is_signed"));
  for (const double bad : {-1.0, 0.0, static_cast<double>(not_a_number), static_cast<double>(infinity)})
    CHECK_THROWS_WITH(make_trainable("mct-lsq", activation_config({.threshold = {bad}})),
                      Contains("LSQ") && Contains("threshold is"));
  CHECK_THROWS_WITH(make_trainable("mct-lsq", weights_config({.method = uniform, .min = {1}, .max = {-1}})),
                    Contains("min < max"));

  TrainableQuantizerWeightsConfig per_tensor = weights_config({.threshold = {1, 2}}, 2);
  per_tensor.weights_per_channel_threshold = false;
  CHECK_THROWS_WITH(make_trainable("mct-ste", per_tensor), Contains("weights_per_channel_threshold"));
  const TrainablePtr channels = make_trainable("mct-ste", weights_config({.threshold = {1, 2, 3}}, 2));
  CHECK_THROWS_WITH(channels->initialize_quantization(Shape{4, 2}, "dense/kernel"), Contains("dense/kernel"));
  TrainableQuantizerWeightsConfig wrong_axis = weights_config({.threshold = {1, 2, 3}}, 2);
  wrong_axis.weights_channels_axis = 0;
  CHECK_THROWS_WITH(make_trainable("mct-ste", wrong_axis)->initialize_quantization(Shape{3, 3}, "dense/kernel"),
                    Contains("channels axis 0"));
}

TEST_CASE("asking for a variable too early or by a wrong key") {
  const TrainablePtr quantizer = make_trainable("mct-ste", activation_config({.threshold = {1}}));
  CHECK_THROWS_WITH((*quantizer)(row({1}), true), Contains("before initialize_quantization"));
  CHECK_THROWS_AS(quantizer->convert2inferable(), StateError);
  quantizer->initialize_quantization({}, "act");
  CHECK_THROWS_WITH(quantizer->get_quantizer_variable("minimum"),
                    Contains("minimum") && Contains("ptq_threshold_tensor"));
}
