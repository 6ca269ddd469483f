// Every property can be found missing: small frozen and trainable quantizers that lack one each. The ten mistakes that
// are made most often have a test of their own (conformance_mistakes_test.cpp).
#include <catch2/catch.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/quantizers/conformance.hpp>
#include <bitgrad/quantizers/inferable/symmetric.hpp>
#include <bitgrad/quantizers/trainable/parts.hpp>

#include "support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace lacking {

/// A symmetric quantizer of weights that lacks the property, frozen. It passes for the built-in class that it derives
/// from.
template <Property property>
class Frozen : public WeightsSymmetricInferableQuantizer {
 public:
  Frozen() : WeightsSymmetricInferableQuantizer({.num_bits = 4, .threshold = {1}}) {}

  Tensor operator()(const Tensor& x) const override {
    Tensor y = WeightsSymmetricInferableQuantizer::operator()(x);
    for (Index i = 0; i < y.size(); ++i) {
      float& value = y.data<float>()[i];
      if (property == Property::idempotence) value = value < -0.25F ? value + 0.125F : value;
      if (property == Property::monotonicity && value == 0.5F) value = 0.125F;
      if (property == Property::zero && value == 0) value = 0.125F;
      if (property == Property::levels) value += 0.0625F * x.data<float>()[i];
      if (property == Property::special_values && std::isnan(value)) value = 0;
      if (property == Property::threads && i == 77777) value = num_threads() > 2 ? 0.25F : 0.375F;
    }
    if (property == Property::side_effects) const_cast<Tensor&>(x).data<float>()[0] = 0;
    return y;
  }
  Tensor dequantize(const Tensor& codes) const override {
    Tensor y = WeightsSymmetricInferableQuantizer::dequantize(codes);
    if (property == Property::codes) y.data<float>()[0] += 0.125F;
    return y;
  }
  std::string describe() const override {
    return property == Property::serialization ? "two\nlines" : WeightsSymmetricInferableQuantizer::describe();
  }
  InferablePtr clone() const override { return std::make_unique<Frozen>(*this); }
};

/// The same while it learns.
template <Property property>
class Learning : public TrainableQuantizer<Learning<property>, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "lacking");
  using Learning::TrainableQuantizer::TrainableQuantizer;

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_learned_variable("threshold", name, this->config().param("threshold"));
  }
  Variable operator()(const Variable& x, bool) override {
    const Levels levels = levels_of(this->config());
    // Off by a thousandth of a bit, which no level shows.
    const double last_bits = property == Property::exact_conversion ? 1 + 2e-7 : 1;
    const Variable step = threshold() / levels.count * last_bits;
    const Variable y = step * ste_round(clip(x / step, levels.lo, levels.hi));
    return property == Property::conversion ? y * 0.5 : y;
  }
  InferablePtr convert2inferable() const override {
    if (property == Property::repeated_conversion)
      for (float& value : this->get_quantizer_variable("threshold")->value().template span<float>()) value *= 1.5F;
    return inferable_quantizer(this->config(), threshold().value());
  }

 private:
  Variable threshold() const { return maximum(abs(this->learned("threshold")), 1e-6); }
};

/// Whether the checks of a quantizer that lacks the property find it.
template <class Report>
void require(const Report& report, Property property, bool missing) {
  INFO(name_of(property) << "\n" << report.describe());
  CHECK(report.finds(property) == missing);
  CHECK(report.passed() == !missing);
}

template <Property property>
void frozen_lacks() {
  require(check_quantizer(Frozen<property>()), property, true);
}

template <Property property>
ConformanceReport learning() {
  return check_quantizer(Learning<property>(weights_config({.bits = 4, .threshold = {1}})));
}

}  // namespace lacking

using namespace lacking;

TEST_CASE("the quantizers that lack something are right otherwise") {
  require(check_quantizer(Frozen<Property::gradient>()), Property::codes,
          false);  // a frozen one has no gradient to lack
  require(learning<Property::codes>(), Property::conversion, false);
}

TEST_CASE("a frozen quantizer that lacks a property is found out") {
  frozen_lacks<Property::idempotence>();
  frozen_lacks<Property::monotonicity>();
  frozen_lacks<Property::zero>();
  frozen_lacks<Property::levels>();
  frozen_lacks<Property::special_values>();
  frozen_lacks<Property::threads>();
  frozen_lacks<Property::side_effects>();
  frozen_lacks<Property::codes>();
  frozen_lacks<Property::serialization>();
}

TEST_CASE("a trainable quantizer that lacks a property is found out") {
  require(learning<Property::conversion>(), Property::conversion, true);
  require(learning<Property::exact_conversion>(), Property::exact_conversion, true);
  CHECK_FALSE(learning<Property::exact_conversion>().finds(Property::conversion));
  require(learning<Property::repeated_conversion>(), Property::repeated_conversion, true);
}

TEST_CASE("a declared departure is told apart and does not fail") {
  class Declared : public Frozen<Property::zero> {
   public:
    std::vector<Departure> departures() const override {
      std::vector<Departure> all;
      for (const ConformanceFinding& finding : check_quantizer(Frozen<Property::zero>()).findings)
        all.push_back({finding.property, "a test"});
      return all;
    }
    InferablePtr clone() const override { return std::make_unique<Declared>(*this); }
  };
  const ConformanceReport report = check_quantizer(Declared());
  INFO(report.describe());
  CHECK(report.passed());
  CHECK(report.declares(Property::zero));
  CHECK_THAT(report.describe(), Contains("declared zero: "));
}

TEST_CASE("nothing checked is not passed") {
  const ConformanceReport none;
  CHECK_FALSE(none.passed());
  ConformanceOptions only_one_bit;
  only_one_bit.bits = {1};
  for (const TrainableEntry& entry : trainable_quantizers())
    if (entry.class_name == "LSQWeightQATQuantizer") {
      const ConformanceReport refused = check_quantizer(entry, only_one_bit);
      CHECK_FALSE(refused.passed());
      CHECK_THAT(refused.describe(), Contains("none could be built") && Contains("1 bit signed"));
    }
}
