// What holds for every quantizer of bitgrad's own: lsq, lsq-pot, lsq-plus, dqa.
#include <catch2/catch.hpp>

#include <bitgrad/autograd/gradcheck.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/trainable/detail/learned_step.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

constexpr auto pot = QuantizationMethod::POWER_OF_TWO;
constexpr auto symmetric = QuantizationMethod::SYMMETRIC;
constexpr auto uniform = QuantizationMethod::UNIFORM;

struct Case {
  std::string identifier;
  Given given;
  std::optional<Shape> weight;  // empty: an activation
  std::string name;

  TrainablePtr make() const {
    TrainablePtr quantizer = weight ? make_trainable(identifier, weights_config(given, weight->rank()))
                                    : make_trainable(identifier, activation_config(given));
    quantizer->initialize_quantization(weight, "q");
    return quantizer;
  }
  Tensor input() const { return scattered(weight.value_or(Shape{4, 5, 3}), 7, 2.5); }
};

Given given(QuantizationMethod method, int bits, bool per_channel, bool is_signed) {
  if (method != uniform)
    return {.method = method,
            .bits = bits,
            .threshold = per_channel ? std::vector<double>{0.7, 0.3, 1.9} : std::vector<double>{0.9},
            .is_signed = is_signed};
  if (per_channel) return {.method = uniform, .bits = bits, .min = {-0.7, -0.1, 0.2}, .max = {1.3, 2.2, 0.9}};
  if (is_signed) return {.method = uniform, .bits = bits, .min = {-2.0}, .max = {0.7}};
  return {.method = uniform, .bits = bits, .min = {0.3}, .max = {1.7}};
}

/// Other tests register classes of their own, which have namespaces.
bool built_in(const TrainableEntry& entry) { return entry.class_name.find("::") == std::string::npos; }

/// Every own class, method, 1 to 16 bits, sign, per tensor and channel, ranks 1 to 3.
std::vector<Case> cases() {
  std::vector<Case> result;
  for (const TrainableEntry& entry : trainable_quantizers()) {
    if (entry.mark.identifier.starts_with("mct-") || !built_in(entry)) continue;
    const bool weights = entry.mark.target == QuantizationTarget::Weights;
    for (const QuantizationMethod method : {pot, symmetric, uniform}) {
      if (!entry.mark.serves(method)) continue;
      for (const int bits : {1, 2, 3, 4, 8, 16})
        for (const bool is_signed : {true, false})
          for (const bool per_channel : {true, false}) {
            if ((per_channel && !weights) || (weights && !is_signed && method != uniform)) continue;
            const Given g = given(method, bits, per_channel, is_signed);
            const std::vector<Shape> shapes =
                per_channel ? std::vector<Shape>{{3}, {11, 3}, {2, 5, 3}} : std::vector<Shape>{{40}, {11, 3}};
            for (const Shape& shape : shapes) {
              if (!weights && shape != shapes[0]) continue;
              result.push_back(
                  {std::string(entry.mark.identifier), g, weights ? std::optional<Shape>(shape) : std::nullopt,
                   message(describe(entry.mark), " ", name_of(method), " ", bits, " bits ",
                           is_signed ? "signed" : "unsigned", per_channel ? " per channel " : " per tensor ", shape)});
            }
          }
    }
  }
  return result;
}

/// Ties, bounds, specials and everything in between.
Tensor awkward(const Case& c) {
  Tensor x = c.input();
  auto values = x.span<float>();
  for (std::size_t i = 0; i < values.size(); i += 3)
    values[i] = static_cast<float>(static_cast<int>(i) % 41 - 20) * 0.0875F;
  if (values.size() < 10) return x;
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

Tensor shipped(const BaseTrainableQuantizer& quantizer, const Tensor& x) {
  const InferablePtr converted = quantizer.convert2inferable();
  return converted->dequantize(converted->codes(x));
}

std::vector<ParameterPtr> in_double(const BaseTrainableQuantizer& quantizer) {
  std::vector<ParameterPtr> parameters;
  for (const auto& variable : quantizer.variables()) {
    variable.parameter->convert(DType::float64);
    if (variable.parameter->trainable()) parameters.push_back(variable.parameter);
  }
  return parameters;
}

}  // namespace

TEST_CASE("own quantizers: the list of cases is what the registry has") {
  std::vector<std::string> identifiers;
  for (const Case& c : cases())
    if (identifiers.empty() || identifiers.back() != c.identifier) identifiers.push_back(c.identifier);
  CHECK(identifiers == std::vector<std::string>{"lsq", "lsq-pot", "lsq-plus", "dqa"});
}

TEST_CASE("own quantizers: what is trained is what is converted, to the bit") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const TrainablePtr quantizer = c.make();
    const Tensor x = awkward(c);
    for (const float factor : {1.0F, 1.07F, 0.913F, 1.3F}) {
      disturb(*quantizer, factor);
      quantizer->set_training_progress(0.1);
      CHECK(identical((*quantizer)(x, false).value(), shipped(*quantizer, x)));
      quantizer->set_training_progress(1);
      CHECK(identical((*quantizer)(x, true).value(), shipped(*quantizer, x)));
      CHECK(quantizer->convert2inferable()->to_json() == quantizer->convert2inferable()->to_json());
    }
  }
}

TEST_CASE("own quantizers: gradient checks in double") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const TrainablePtr quantizer = c.make();
    quantizer->set_training_progress(0.2);
    CHECK_NOTHROW(require_gradients([&](const std::vector<Variable>& in) { return (*quantizer)(in[0], true); },
                                    {c.input()}, in_double(*quantizer)));
  }
}

TEST_CASE("own quantizers: values of the variables are the whole state, and copies have their own") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const Tensor x = c.input();
    const TrainablePtr quantizer = c.make(), restored = c.make();
    const Tensor before = (*quantizer)(x, false).value();
    const TrainablePtr copy = quantizer->clone();
    disturb(*quantizer, 1.17F);
    CHECK(identical((*copy)(x, false).value(), before));
    REQUIRE(copy->variables().size() == quantizer->variables().size());
    for (std::size_t i = 0; i < quantizer->variables().size(); ++i) {
      const Parameter& from = *quantizer->variables()[i].parameter;
      CHECK(copy->variables()[i].parameter->unit() == from.unit());
      restored->variables()[i].parameter->assign(from.value());
    }
    CHECK(restored->convert2inferable()->to_json() == quantizer->convert2inferable()->to_json());
    CHECK(identical((*restored)(x, true).value(), (*quantizer)(x, true).value()));
  }
}

TEST_CASE("own quantizers: variables are of group qparams, named after the weight, and can be frozen") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const TrainablePtr quantizer = c.make();
    for (const auto& variable : quantizer->variables()) {
      CHECK(variable.parameter->group() == ParameterGroup::qparams);
      CHECK(variable.parameter->trainable());
      CHECK(variable.parameter->name() == "q_" + variable.key);
    }
    const TrainablePtr frozen = c.weight ? make_trainable(c.identifier, weights_config(c.given, c.weight->rank()), true)
                                         : make_trainable(c.identifier, activation_config(c.given), true);
    CHECK_THROWS_AS(frozen->get_quantizer_variable("scale"), StateError);
    frozen->initialize_quantization(c.weight, "q");
    frozen->set_training_progress(0.1);
    CHECK(frozen->get_trainable_variables(ParameterGroup::qparams).empty());
    CHECK_FALSE(frozen->variables().empty());
  }
}

TEST_CASE("own quantizers: whatever an optimizer does to finite variables, the step stays positive and finite") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const Tensor x = c.input();
    for (const double value : {0.0, -1.0, -3e38, 1e-30, -1e-30, 3e38}) {
      CAPTURE(value);
      const TrainablePtr quantizer = c.make();
      for (const auto& variable : quantizer->variables()) {
        if (variable.key.starts_with("scale") && value > 1) continue;  // an infinite step is an error: the next test
        if (!variable.key.starts_with("attention")) variable.parameter->value().fill(value);
      }
      for (const float scale : quantizer->convert2inferable()->grid().scale) CHECK((scale > 0 && std::isfinite(scale)));
      Tape tape;
      const Variable leaf = tape.watch(x), y = (*quantizer)(leaf, true);
      tape.backward(y, x);
      for (const float v : y.value().span<float>()) CHECK(std::isfinite(v));
      for (const float v : tape.gradient(leaf).span<float>()) CHECK(std::isfinite(v));
      for (const auto& variable : quantizer->variables())
        for (const float v : variable.parameter->gradient().span<float>()) CHECK(std::isfinite(v));
    }
  }
}

TEST_CASE("own quantizers: variables that became NaN are seen, not hidden") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const TrainablePtr quantizer = c.make();
    for (const auto& variable : quantizer->variables())
      variable.parameter->value().fill(static_cast<double>(not_a_number));
    CHECK_THROWS_AS(quantizer->convert2inferable(), ValueError);
  }
}

TEST_CASE("a parameter out of bounds keeps the part of its gradient that leads back") {
  const auto gradient = [](float value, float incoming) {
    Tape tape;
    const Variable p = tape.watch(row({value}));
    const Variable y = detail::limited(p, 0.5, {Tensor::scalar(1, DType::float64), Tensor::scalar(2, DType::float64)});
    CHECK(y.value().item() == std::clamp(value, 1.0F, 2.0F));
    tape.backward(y, row({incoming}));
    return tape.gradient(p).item();
  };
  for (const float inside : {1.0F, 1.5F, 2.0F}) {
    CHECK(gradient(inside, 3) == 1.5);
    CHECK(gradient(inside, -3) == -1.5);
  }
  CHECK(gradient(0.9F, 3) == 0);      // descent would lead further down
  CHECK(gradient(0.9F, -3) == -1.5);  // and here it leads back up
  CHECK(gradient(-1e30F, -3) == -1.5);
  CHECK(gradient(2.1F, 3) == 1.5);
  CHECK(gradient(2.1F, -3) == 0);
}

TEST_CASE("own quantizers: starts that cannot work are refused") {
  for (const char* name : {"lsq", "lsq-plus", "dqa"}) {
    CHECK_THROWS_WITH(make_trainable(name, weights_config({.threshold = {0}})), Contains("threshold is 0"));
    CHECK_THROWS_WITH(make_trainable(name, weights_config({.threshold = {1e-40}})), Contains("too small"));
  }
  CHECK_THROWS_WITH(make_trainable("lsq-pot", weights_config({.method = pot, .threshold = {-1}})),
                    Contains("threshold is -1"));
  for (const char* name : {"lsq-plus", "dqa"})
    CHECK_THROWS_WITH(make_trainable(name, weights_config({.method = uniform, .min = {1}, .max = {1}})),
                      Contains("min < max"));
  TrainableQuantizerActivationConfig two = activation_config({.threshold = {1}});
  two.quantization_params["threshold"] = doubles({1, 2}, 1);
  CHECK_THROWS_WITH(make_trainable("lsq", two), Contains("2 elements, expected 1"));
  CHECK_THROWS_WITH(make_trainable("lsq", weights_config({.method = pot, .threshold = {1}})),
                    Contains("Weights POWER_OF_TWO \"lsq\"") && Contains("lsq-pot"));
}

TEST_CASE("sums of gradients are the same bytes for any number of threads, for every trainable quantizer") {
  const Shape shape{70001, 3};
  const Tensor x = scattered(shape, 3, 2.5), dy = scattered(shape, 4);
  for (const TrainableEntry& entry : trainable_quantizers())
    for (const QuantizationMethod method : {pot, symmetric, uniform}) {
      if (!entry.mark.serves(method) || !built_in(entry)) continue;
      INFO(entry.class_name << " " << name_of(method));
      const bool weights = entry.mark.target == QuantizationTarget::Weights;
      const Given g = given(method, 4, weights, true);
      std::vector<Tensor> first;
      for (const int threads : {1, 2, 3, 7}) {
        const Threads scope(threads);
        const TrainablePtr quantizer =
            weights ? entry.weights(weights_config(g, 2), false) : entry.activation(activation_config(g), false);
        quantizer->initialize_quantization(weights ? std::optional<Shape>(shape) : std::nullopt, "q");
        quantizer->set_training_progress(0.25);
        Tape tape;
        const Variable leaf = tape.watch(x), y = (*quantizer)(leaf, true);
        tape.backward(y, dy);
        std::vector<Tensor> results{y.value(), tape.gradient(leaf)};
        for (const auto& variable : quantizer->variables()) results.push_back(variable.parameter->gradient());
        if (threads == 1) first = results;
        REQUIRE(results.size() == first.size());
        for (std::size_t i = 0; i < results.size(); ++i) CHECK(identical(results[i], first[i]));
      }
    }
}
