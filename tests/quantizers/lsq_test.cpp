#include <catch2/catch.hpp>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/trainable/lsq.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

constexpr auto pot = QuantizationMethod::POWER_OF_TWO;
constexpr auto symmetric = QuantizationMethod::SYMMETRIC;
constexpr auto uniform = QuantizationMethod::UNIFORM;

std::vector<Given> weights_given() {
  return {{.method = symmetric, .bits = 2, .threshold = {0.7, 0.3, 1.9}},
          {.method = symmetric, .bits = 8, .threshold = {0.9}},
          {.method = symmetric, .bits = 1, .threshold = {0.9}},
          {.method = symmetric, .bits = 16, .threshold = {0.9, 0.1, 7}},
          {.method = pot, .bits = 4, .threshold = {0.7, 0.3, 1.9}},
          {.method = uniform, .bits = 4, .min = {-0.7, -0.1, 0.2}, .max = {1.3, 2.2, 0.9}},
          {.method = uniform, .bits = 8, .min = {-2.0}, .max = {0.7}},
          {.method = uniform, .bits = 1, .min = {-2.0}, .max = {-0.1}},
          {.method = uniform, .bits = 16, .min = {-0.7}, .max = {1.3}}};
}

/// Ties, bounds, specials and everything in between for a tensor whose channels have a step of about 0.01 to 1.
Tensor awkward(const Shape& shape) {
  Tensor x = scattered(shape, 5, 3);
  auto values = x.span<float>();
  for (std::size_t i = 0; i < values.size(); i += 3)
    values[i] = static_cast<float>(static_cast<int>(i) % 41 - 20) * 0.0875F;
  values[1] = infinity;
  values[2] = -infinity;
  values[4] = 1e30F;
  values[5] = -0.0F;
  return x;
}

/// Moves every variable, as an optimizer would.
void disturb(BaseTrainableQuantizer& quantizer, float factor) {
  for (const auto& variable : quantizer.variables())
    for (float& value : variable.parameter->value().span<float>()) value *= factor;
}

}  // namespace

TEST_CASE("lsq: what is trained is what is converted, to the bit") {
  const Shape shape{40, 3};
  const Tensor x = awkward(shape);
  for (const Given& given : weights_given()) {
    const TrainablePtr quantizer = make_trainable("lsq", weights_config(given, 2));
    quantizer->initialize_quantization(shape, "w");
    for (const float factor : {1.0F, 1.07F, 0.913F, 1.3F}) {
      disturb(*quantizer, factor);
      const InferablePtr converted = quantizer->convert2inferable();
      CAPTURE(converted->describe(), factor);
      CHECK(identical((*quantizer)(x, true).value(), converted->dequantize(converted->codes(x))));
      CHECK(identical((*quantizer)(x, false).value(), (*quantizer)(x, true).value()));
      CHECK(quantizer->convert2inferable()->to_json() == converted->to_json());
    }
  }
  for (Given given :
       {Given{.method = symmetric, .bits = 4, .threshold = {1.7}}, Given{.method = pot, .bits = 8, .threshold = {1.7}},
        Given{.method = uniform, .bits = 5, .min = {-0.6}, .max = {2.4}},
        Given{.method = uniform, .bits = 8, .min = {0.3}, .max = {2.4}}}) {
    for (const bool is_signed : {true, false}) {
      given.is_signed = is_signed;
      const TrainablePtr quantizer = make_trainable("lsq", activation_config(given));
      quantizer->initialize_quantization({}, "act");
      for (const float factor : {1.0F, 1.07F, 0.913F}) {
        disturb(*quantizer, factor);
        const InferablePtr converted = quantizer->convert2inferable();
        CHECK(identical((*quantizer)(x, true).value(), converted->dequantize(converted->codes(x))));
      }
    }
  }
}

TEST_CASE("lsq: gradients are those of the paper") {
  // Esser et al. 2020, equation 3 and section 2.2, for one step shared by 6 weights: s = 0.25, levels -2 .. 1, 2 bits.
  const TrainablePtr quantizer = make_trainable("lsq", weights_config({.bits = 2, .threshold = {0.5}}));
  const Tensor v = row({0.1F, -0.3F, 0.3F, -0.9F, 0.249F, 0.26F});
  quantizer->initialize_quantization(v.shape(), "w");
  Tape tape;
  const Variable x = tape.watch(v);
  const Variable y = (*quantizer)(x, true);
  const Tensor g = row({1, 2, 3, 4, 5, 6});
  tape.backward(y, g);
  const double s = 0.25;
  double expected = 0;
  for (Index i = 0; i < 6; ++i) {
    const double u = static_cast<double>(v.data<float>()[i]) / s;
    const bool inside = u > -2 && u < 1;  // on the unrounded value: 0.26 rounds to level 1, but lies above it
    const double slope = inside ? std::nearbyint(u) - u : (u <= -2 ? -2 : 1);
    expected += static_cast<double>(g.data<float>()[i]) * slope;
    CHECK(tape.gradient(x).data<float>()[i] == (inside ? g.data<float>()[i] : 0.0F));
  }
  expected /= std::sqrt(6.0 * 1);  // 6 weights, Qp = 1
  CHECK(quantizer->get_quantizer_variable("scale")->gradient().item() == Approx(expected).epsilon(1e-5));
}

TEST_CASE("lsq: the gradient scale counts weights per channel and features per sample") {
  const auto gradient_of = [](BaseTrainableQuantizer& quantizer, const Tensor& x) {
    Tape tape;
    const Variable y = quantizer(tape.watch(x), true);
    tape.backward(y, Tensor::full(x.shape(), 1));
    return static_cast<double>(quantizer.get_quantizer_variable("scale")->gradient().data<float>()[0]);
  };
  // Everything saturates at level 7, so that the unscaled gradient is 7 per element.
  const TrainablePtr weights = make_trainable("lsq", weights_config({.bits = 4, .threshold = {1, 1, 1}}, 2));
  weights->initialize_quantization(Shape{20, 3}, "w");
  CHECK(gradient_of(*weights, Tensor::full(Shape{20, 3}, 5)) == Approx(20 * 7 / std::sqrt(20 * 7.0)));
  const TrainablePtr activation = make_trainable("lsq", activation_config({.bits = 4, .threshold = {1}}));
  activation->initialize_quantization({}, "act");
  CHECK(gradient_of(*activation, Tensor::full(Shape{8, 5, 2}, 5)) == Approx(80 * 7 / std::sqrt(10 * 7.0)));
}

TEST_CASE("lsq: a step gone negative or to zero is floored, keeps its gradient and still converts") {
  for (const QuantizationMethod method : {symmetric, pot}) {
    const TrainablePtr quantizer = make_trainable("lsq", weights_config({.method = method, .threshold = {0.8}}));
    const Tensor x = scattered(Shape{50}, 3);
    quantizer->initialize_quantization(x.shape(), "w");
    const ParameterPtr scale = quantizer->get_quantizer_variable("scale");
    for (const float value : {0.0F, -1.0F, -1e30F, 1e-30F}) {
      scale->value().fill(static_cast<double>(value));
      scale->zero_gradient();
      const InferablePtr converted = quantizer->convert2inferable();
      CHECK(converted->grid().scale[0] > 0);
      CHECK(converted->grid().scale[0] == Approx(0.1 / 65536).epsilon(0.5));
      Tape tape;
      const Variable y = (*quantizer)(tape.watch(x), true);
      CHECK(identical(y.value(), converted->dequantize(converted->codes(x))));
      tape.backward(y, x);
      CHECK(std::isfinite(scale->gradient().item()));
      CHECK(scale->gradient().item() != 0);
    }
  }
}

TEST_CASE("lsq: parameters that became NaN are seen, not hidden") {
  for (const QuantizationMethod method : {symmetric, pot, uniform}) {
    const TrainablePtr quantizer =
        make_trainable("lsq", weights_config({.method = method, .threshold = {0.8}, .min = {-0.8}, .max = {0.8}}));
    quantizer->initialize_quantization(Shape{2}, "w");
    quantizer->get_quantizer_variable("scale")->value().fill(static_cast<double>(not_a_number));
    CHECK_THROWS_AS(quantizer->convert2inferable(), ValueError);
    if (method == uniform)
      CHECK_THROWS_WITH((*quantizer)(row({1, 2}), true), Contains("zero point") && Contains("nan"));
    else
      CHECK(std::isnan((*quantizer)(row({1, 2}), true).value().data<float>()[0]));
  }
}

TEST_CASE("lsq: power-of-two steps are powers of two while they learn") {
  const TrainablePtr quantizer = make_trainable("lsq", weights_config({.method = pot, .threshold = {1}}));
  quantizer->initialize_quantization(Shape{4}, "w");
  const ParameterPtr scale = quantizer->get_quantizer_variable("scale");
  for (const auto& [value, step] : {std::pair{0.125F, 0.125F}, {0.17F, 0.125F}, {0.18F, 0.25F}, {3e-20F, 0x1p-19F}}) {
    scale->value().fill(static_cast<double>(value));
    CHECK(quantizer->convert2inferable()->grid().scale[0] == step);
    CHECK(quantizer->convert2inferable()->type() == "WeightsPOTInferableQuantizer");
  }
}

TEST_CASE("lsq: gradient checks in double") {
  const auto check = [](const TrainablePtr& quantizer, const Tensor& x) {
    std::vector<ParameterPtr> parameters;
    for (const auto& variable : quantizer->variables()) {
      variable.parameter->convert(DType::float64);
      parameters.push_back(variable.parameter);
    }
    CHECK_NOTHROW(
        require_gradients([&](const std::vector<Variable>& in) { return (*quantizer)(in[0], true); }, {x}, parameters));
  };
  for (const Given& given : weights_given()) {
    const TrainablePtr quantizer = make_trainable("lsq", weights_config(given, 2));
    quantizer->initialize_quantization(Shape{11, 3}, "w");
    check(quantizer, scattered(Shape{11, 3}, 7, 2.5));
  }
  const TrainablePtr activation =
      make_trainable("lsq", activation_config({.method = uniform, .bits = 3, .min = {-0.5}, .max = {1.1}}));
  activation->initialize_quantization({}, "act");
  check(activation, scattered(Shape{3, 4, 2}, 9, 2));
}

TEST_CASE("lsq: variables, their names and the freeze option") {
  const TrainablePtr quantizer = make_trainable("lsq", weights_config({.method = uniform, .min = {-1}, .max = {3}}));
  CHECK_THROWS_AS(quantizer->get_quantizer_variable("scale"), StateError);
  quantizer->initialize_quantization(Shape{6}, "conv/kernel");
  const auto variables = quantizer->get_trainable_variables(ParameterGroup::qparams);
  REQUIRE(variables.size() == 2);
  CHECK(variables[0]->name() == "conv/kernel_scale");
  CHECK(variables[1]->name() == "conv/kernel_offset");
  CHECK(variables[0]->value().item() == Approx(4.0 / 15));
  CHECK(variables[1]->value().item() == -1);
  CHECK(quantizer->get_trainable_variables(ParameterGroup::weights).empty());

  const TrainablePtr frozen = make_trainable("lsq", activation_config({.threshold = {1}}), true);
  frozen->initialize_quantization({}, "act");
  CHECK(frozen->variables().size() == 1);
  CHECK(frozen->variables()[0].parameter->name() == "act_scale");
  CHECK(frozen->get_trainable_variables(ParameterGroup::qparams).empty());
}

TEST_CASE("lsq: starts that cannot work are refused") {
  CHECK_THROWS_WITH(make_trainable("lsq", weights_config({.threshold = {0}})), Contains("threshold is 0"));
  CHECK_THROWS_WITH(make_trainable("lsq", weights_config({.threshold = {1e-40}})), Contains("too small"));
  CHECK_THROWS_WITH(make_trainable("lsq", weights_config({.method = uniform, .min = {1}, .max = {1}})),
                    Contains("min < max"));
  TrainableQuantizerActivationConfig two = activation_config({.threshold = {1}});
  two.quantization_params["threshold"] = doubles({1, 2}, 1);
  CHECK_THROWS_WITH(make_trainable("lsq", two), Contains("2 elements, expected 1"));
}
