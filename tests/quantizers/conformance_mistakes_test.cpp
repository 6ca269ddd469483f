// Ten mistakes that quantizers are made with, each in a small quantizer that is right otherwise: the conformance checks
// have to find it and to name the right property.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/autograd/custom_op.hpp>
#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/quantizers/conformance.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/trainable/parts.hpp>

#include "support.hpp"

using namespace bitgrad;
using Catch::Contains;

namespace mistakes {

enum class Mistake {
  none,
  truncated_zero_point,
  wrong_gradient_scale,
  unconstrained_power_of_two,
  step_gone_negative,
  reciprocal,
  zero_point_before_rounding,
  half_away_from_zero,
  swapped_channel_axis,
  missing_clip_gradient,
  range_off_by_one,
};

/// Rounds ties away from zero; gradient 1.
Variable round_half_away(const Variable& x) {
  return custom_op(
      "round_half_away", {x},
      [](const std::vector<Tensor>& inputs) {
        const Variable residual = ste_round(inputs[0]) - Variable(inputs[0]);  // replays in gradient checks
        Tensor y = (Variable(inputs[0]) + residual).value().clone();
        if (y.dtype() == DType::float32)
          for (Index i = 0; i < y.size(); ++i) y.data<float>()[i] = std::round(inputs[0].data<float>()[i]);
        return y;
      },
      [](const CustomOpContext& context) { return std::vector<Tensor>{context.output_gradient}; });
}

/// Weights by a learned threshold, with ordinary arithmetic.
template <Mistake mistake>
class Threshold : public TrainableQuantizer<Threshold<mistake>, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark = mark_quantizer(
      QuantizationTarget::Weights, {QuantizationMethod::POWER_OF_TWO, QuantizationMethod::SYMMETRIC}, "threshold");
  using Threshold::TrainableQuantizer::TrainableQuantizer;

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_learned_variable("threshold", name, this->config().param("threshold"));
  }
  Variable operator()(const Variable& x, bool) override {
    const Levels levels = levels_of(this->config());
    const double hi = mistake == Mistake::range_off_by_one ? levels.hi + 1 : levels.hi;
    Variable step = threshold() / levels.count;
    if (mistake == Mistake::swapped_channel_axis && step.value().size() > 1) {
      const Index channels = step.value().size();
      step = reshape(step, step.shape()[0] == 1 ? Shape{channels, 1, 1} : Shape{1, 1, channels});
    }
    const Variable u = mistake == Mistake::reciprocal ? x * (1.0 / step) : x / step;
    const Variable level = clip(u, levels.lo, hi);
    return step * (mistake == Mistake::half_away_from_zero ? round_half_away(level) : ste_round(level));
  }
  InferablePtr convert2inferable() const override { return inferable_quantizer(this->config(), converted()); }

 private:
  Variable threshold() const {
    Variable t = this->learned("threshold");
    if (mistake != Mistake::step_gone_negative) t = maximum(abs(t), 1e-6);
    const bool power_of_two = this->config().method == QuantizationMethod::POWER_OF_TWO;
    return power_of_two && mistake != Mistake::unconstrained_power_of_two
               ? exp2_of(ste_ceil(log(t) * (1 / std::log(2.0))))
               : t;
  }
  /// The unconstrained one rounds at conversion, as if that were early enough.
  Tensor converted() const {
    Tensor t = threshold().value().clone();
    if (this->config().method == QuantizationMethod::POWER_OF_TWO)
      for (float& value : t.span<float>()) value = std::exp2(std::ceil(std::log2(value)));
    return t;
  }
  /// 2^x; whole x only in float32.
  static Variable exp2_of(const Variable& x) {
    if (x.dtype() != DType::float32) return exp(x * std::log(2.0));
    return custom_op(
        "exp2", {x},
        [](const std::vector<Tensor>& inputs) {
          Tensor y = inputs[0].clone();
          for (float& value : y.span<float>()) value = std::exp2(value);
          return y;
        },
        [](const CustomOpContext& c) {
          return std::vector<Tensor>{(Variable(c.output_gradient) * Variable(c.output) * std::log(2.0)).value()};
        });
  }
};

/// Weights by a learned threshold; forward in ordinary arithmetic, gradient by hand (LSQ's, scaled by 1/8).
template <Mistake mistake>
class ByHand : public TrainableQuantizer<ByHand<mistake>, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, "by-hand");
  using ByHand::TrainableQuantizer::TrainableQuantizer;

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_learned_variable("threshold", name, this->config().param("threshold"));
  }
  Variable operator()(const Variable& x, bool) override {
    const Levels levels = levels_of(this->config());
    const auto forward = [=](const std::vector<Tensor>& v) {
      const Variable step = Variable(v[1]) / levels.count;
      // The declared surrogate: x and its step, the latter with an eighth of its gradient.
      const Variable eighth = exact_scale(step, 0.125);
      return (eighth * ste_round(clip(Variable(v[0]) / eighth, levels.lo, levels.hi))).value();
    };
    return custom_op("by_hand", {x, maximum(abs(this->learned("threshold")), 1e-6)}, forward,
                     [=](const CustomOpContext& context) { return gradients(context, levels); });
  }
  InferablePtr convert2inferable() const override {
    return inferable_quantizer(this->config(), maximum(abs(this->learned("threshold")), 1e-6).value());
  }

 private:
  /// x; gradient f: grad_scale() without touching the last bit.
  static Variable exact_scale(const Variable& x, double f) {
    return x.dtype() == DType::float32 ? x : grad_scale(x, f);
  }

  static std::vector<Tensor> gradients(const CustomOpContext& context, const Levels& levels) {
    const Variable x = context.inputs[0], step = Variable(context.inputs[1]) / levels.count,
                   g = context.output_gradient;
    const Variable u = x / step, c = clip(u, levels.lo, levels.hi), level = ste_round(c);
    Tensor mask(x.shape(), x.dtype());
    const Tensor in = (u - c).value().to(DType::float64);
    for (Index i = 0; i < mask.size(); ++i) {
      const double m = in.data<double>()[i] == 0;
      if (mask.dtype() == DType::float32)
        mask.data<float>()[i] = static_cast<float>(m);
      else
        mask.data<double>()[i] = m;
    }
    const double scale = mistake == Mistake::wrong_gradient_scale ? 1 : 0.125;
    const Variable per_element = g * (level - Variable(mask) * u) * (scale / levels.count);
    const Tensor dt = sum_to(per_element, step.shape()).value();
    return {mistake == Mistake::missing_clip_gradient ? g.value() : (g * Variable(mask)).value(), dt};
  }
};

/// Weights by a learned range, on the grid of its step and rounded zero point.
template <Mistake mistake>
class Ranged : public TrainableQuantizer<Ranged<mistake>, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::UNIFORM}, "ranged");
  using Ranged::TrainableQuantizer::TrainableQuantizer;

  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_learned_variable("min", name, this->config().param("range_min"));
    this->add_learned_variable("max", name, this->config().param("range_max"));
  }
  Variable operator()(const Variable& x, bool) override {
    const double top = levels_of(this->config()).hi;
    const Variable low = min(), step = (max() - low) / top, zero = ste_round(-(low / step));
    return (clip(ste_round(x / step) + zero, 0, top) - zero) * step;
  }
  InferablePtr convert2inferable() const override {
    const InferablePtr right = inferable_quantizer(this->config(), min().value(), max().value());
    auto options = dynamic_cast<const WeightsUniformInferableQuantizer&>(*right).options();
    if (mistake == Mistake::truncated_zero_point) options.zero_point = ZeroPointRule::reference;
    return std::make_unique<WeightsUniformInferableQuantizer>(options);
  }
  std::vector<Departure> departures() const override {
    return {{Property::exact_conversion, "the step of the converted range may differ in its last bit"}};
  }

 private:
  Variable min() const { return -maximum(abs(this->learned("min")), 1e-6); }
  Variable max() const { return maximum(abs(this->learned("max")), 1e-6); }
};

/// A frozen grid of its own.
template <Mistake mistake>
class Frozen : public BaseInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::UNIFORM}, inferable_identifier);
  explicit Frozen(float scale, std::int32_t zero_point) : scale_(scale), zero_point_(zero_point) {}

  std::string_view type() const override { return name(); }
  const QuantizerMark& marks() const override { return mark; }
  int bits() const override { return 4; }
  Grid grid() const override { return {4, 0, 15, {scale_}, {zero_point_}, {}}; }
  Tensor operator()(const Tensor& x) const override {
    Tensor y(x.shape());
    for (Index i = 0; i < x.size(); ++i)
      y.data<float>()[i] = (code(x.data<float>()[i]) - static_cast<float>(zero_point_)) * scale_;
    return y;
  }
  Tensor codes(const Tensor& x) const override {
    Tensor q(x.shape(), DType::int32);
    for (Index i = 0; i < x.size(); ++i) {
      const float code_of_x = code(x.data<float>()[i]);
      if (std::isnan(code_of_x)) fail<ValueError>("Frozen: NaN has no code");
      q.data<std::int32_t>()[i] = static_cast<std::int32_t>(code_of_x);
    }
    return q;
  }
  std::string describe() const override { return message(name(), ": scale ", scale_, ", zero point ", zero_point_); }
  std::string to_json() const override {
    return message("{\"class\": \"", name(), "\", \"scale\": ", scale_, ", \"zero_point\": ", zero_point_, "}");
  }
  std::unique_ptr<BaseInferableQuantizer> clone() const override { return std::make_unique<Frozen>(*this); }
  std::vector<Departure> departures() const override {
    return {{Property::serialization, "other tests share the registry, so it is not in there"}};
  }

 private:
  static const std::string& name() {
    static const std::string own = type_name<Frozen>();
    return own;
  }
  float code(float x) const {
    const auto zero = static_cast<float>(zero_point_);
    const float u = mistake == Mistake::reciprocal ? x * (1 / scale_) : x / scale_;
    const float q = mistake == Mistake::zero_point_before_rounding ? std::nearbyint(u + zero)
                    : mistake == Mistake::half_away_from_zero      ? std::round(u) + zero
                                                                   : std::nearbyint(u) + zero;
    return q < 0 ? 0 : q > 15 ? 15 : q;
  }
  float scale_;
  std::int32_t zero_point_;
};

}  // namespace mistakes

using namespace mistakes;

namespace {

ConformanceOptions options() {
  ConformanceOptions few;
  few.bits = {1, 2, 4, 8};
  return few;
}

/// The findings by property; the text goes into the test's log.
template <class Report>
bool finds_only(const Report& report, Property property, std::string_view saying = "") {
  UNSCOPED_INFO(report.describe());
  return report.finds(property) && report.describe().find(saying) != std::string::npos &&
         std::ranges::all_of(report.findings, [&](const auto& finding) { return finding.property == property; });
}

template <class Q>
ConformanceReport frozen_report() {
  return check_quantizer(Q(0.3F, 5));
}

}  // namespace

TEST_CASE("the quantizers are right but for their mistakes") {
  for (const ConformanceReport& report :
       {check_quantizer<Threshold<Mistake::none>>(options()), check_quantizer<ByHand<Mistake::none>>(options()),
        check_quantizer<Ranged<Mistake::none>>(options()), frozen_report<Frozen<Mistake::none>>()}) {
    INFO(report.describe());
    CHECK(report.passed());
  }
}

TEST_CASE("mistake: truncated zero point") {
  CHECK(
      finds_only(check_quantizer<Ranged<Mistake::truncated_zero_point>>(options()), Property::conversion, "-1 steps"));
}

TEST_CASE("mistake: wrong gradient scale") {
  CHECK(finds_only(check_quantizer<ByHand<Mistake::wrong_gradient_scale>>(options()), Property::gradient,
                   "conformance_threshold"));
}

TEST_CASE("mistake: unconstrained power of two") {
  const auto report = check_quantizer<Threshold<Mistake::unconstrained_power_of_two>>(options());
  INFO(report.describe());
  CHECK(report.finds(Property::power_of_two));
  for (const ConformanceFinding& finding : report.findings) CHECK_THAT(finding.quantizer, Contains("as POWER_OF_TWO"));
}

TEST_CASE("mistake: a step gone negative") {
  CHECK(finds_only(check_quantizer<Threshold<Mistake::step_gone_negative>>(options()), Property::positive_step,
                   "threshold -1 times its start"));
}

TEST_CASE("mistake: reciprocal where division is promised") {
  CHECK(finds_only(check_quantizer<Threshold<Mistake::reciprocal>>(options()), Property::division, "1 / scale"));
  CHECK(finds_only(frozen_report<Frozen<Mistake::reciprocal>>(), Property::division, "1 / scale"));
}

TEST_CASE("mistake: zero point added before rounding") {
  CHECK(finds_only(frozen_report<Frozen<Mistake::zero_point_before_rounding>>(), Property::rounding,
                   "zero point is added before"));
}

TEST_CASE("mistake: half away from zero") {
  CHECK(finds_only(check_quantizer<Threshold<Mistake::half_away_from_zero>>(options()), Property::rounding,
                   "away from zero"));
  CHECK(finds_only(frozen_report<Frozen<Mistake::half_away_from_zero>>(), Property::rounding, "away from zero"));
}

TEST_CASE("mistake: swapped channel axis") {
  const auto report = check_quantizer<Threshold<Mistake::swapped_channel_axis>>(options());
  INFO(report.describe());
  CHECK(report.finds(Property::channel_axis));
  for (const ConformanceFinding& finding : report.findings) CHECK_THAT(finding.quantizer, Contains("channels on axis"));
}

TEST_CASE("mistake: missing clip gradient") {
  CHECK(finds_only(check_quantizer<ByHand<Mistake::missing_clip_gradient>>(options()), Property::gradient, "input 0"));
}

TEST_CASE("mistake: range off by one") {
  const auto report = check_quantizer<Threshold<Mistake::range_off_by_one>>(options());
  INFO(report.describe());
  CHECK(report.finds(Property::levels));
  CHECK_THAT(report.describe(), Contains("17 different outputs") && Contains("at most 16 for 4 bits"));
}
