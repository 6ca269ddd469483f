#include <bitgrad/quantizers/trainable/detail/learned_step.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>

namespace bitgrad::detail {
namespace {

constexpr double smallest_octave = -16;                           // a step may shrink to 2^-16 of its start
constexpr double lowest_exponent = -126, highest_exponent = 127;  // of normal float32 numbers

/// By which a bound may be missed and counts as kept: products of numbers that were rounded to float32.
constexpr double rounding_error = 0x1p-22;

double bound(const Tensor& limit, Index i, double none) {
  return limit.defined() ? limit.data<double>()[limit.size() == 1 ? 0 : i] : none;
}

/// 2^x, exact for whole x.
Variable exp2(const Variable& x) {
  Tensor y = x.value().clone();
  dispatch_floating("exp2", x.dtype(), [&](auto zero) {
    for (auto& value : y.span<decltype(zero)>()) value = std::exp2(value);
  });
  return record_operation("exp2", y, {x}, [y](const Tensor& g, GradSink& sink) {
    sink.add(0, (Variable(g) * Variable(y) * std::numbers::ln2).value());
  });
}

/// Another value, the same gradient.
Variable replaced(const Variable& x, Tensor value) {
  return record_operation("on_grid", std::move(value), {x}, [](const Tensor& g, GradSink& sink) { sink.add(0, g); });
}

template <class F>
Tensor map(const Tensor& x, F f) {
  Tensor result = x.clone();
  for (double& value : result.span<double>()) value = f(value);
  return result;
}

}  // namespace

Variable limited(const Variable& p, double factor, const Limits& limits) {
  Tensor y = p.value().clone();
  std::vector<int> side(static_cast<std::size_t>(y.size()));  // -1 below, 1 above the bounds
  dispatch_floating("limited", p.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (Index i = 0; i < y.size(); ++i) {
      T& value = y.data<T>()[i];
      const auto lo = static_cast<T>(bound(limits.lo, i, -HUGE_VAL)),
                 hi = static_cast<T>(bound(limits.hi, i, HUGE_VAL));
      const auto slack = static_cast<T>(rounding_error);
      const bool below = value<lo - slack * std::abs(lo), above = value> hi + slack * std::abs(hi);
      side[static_cast<std::size_t>(i)] = below ? -1 : above ? 1 : 0;
      if (value < lo) value = lo;
      if (value > hi) value = hi;
    }
  });
  replay::residual(p.value(), y, factor);
  return record_operation("limited", std::move(y), {p}, [factor, side](const Tensor& g, GradSink& sink) {
    Tensor dp = (Variable(g) * factor).value();
    dispatch_floating("limited", dp.dtype(), [&](auto zero) {
      auto* d = dp.data<decltype(zero)>();
      for (std::size_t i = 0; i < side.size(); ++i)  // a descent step subtracts the gradient
        if ((side[i] < 0 && d[i] > 0) || (side[i] > 0 && d[i] < 0)) d[i] = 0;
    });
    sink.add(0, std::move(dp));
  });
}

LearnedStep::LearnedStep(const TrainableQuantizerWeightsConfig& config, std::string_view class_name,
                         std::string_view tag)
    : config_(config),
      method_(config.method),
      bits_(config.n_bits),
      first_key_(message(power_of_two() ? "log2_threshold" : "scale", tag)),
      offset_key_(message("offset", tag)) {
  start(config, true, class_name);
  check_weight_parameter(config, start_, class_name);
}

LearnedStep::LearnedStep(const TrainableQuantizerActivationConfig& config, std::string_view class_name)
    : config_(config),
      method_(config.method),
      bits_(config.n_bits),
      first_key_(power_of_two() ? "log2_threshold" : "scale"),
      offset_key_("offset") {
  start(config, !uniform() && is_signed(config), class_name);
  start_ = one_element(start_, uniform() ? "range_min" : "threshold", class_name);
  if (uniform()) start_offset_ = one_element(start_offset_, "range_min", class_name);
}

void LearnedStep::start(const BaseQuantizerConfig& config, bool is_signed, std::string_view class_name) {
  Tensor step;
  if (uniform()) {
    levels_ = uniform_levels(bits_);
    const ConfigRange range = config_range(config, class_name);
    const Tensor low = map(range.min, [](double min) { return std::min(min, 0.0); });
    const Tensor high = map(range.max, [](double max) { return std::max(max, 0.0); });
    step = ((Variable(high) - Variable(low)) / levels_.hi).value();
    start_offset_ = low;
  } else {
    levels_ = symmetric_levels(bits_, is_signed);
    step = (Variable(config_threshold(config, class_name)) / levels_.count).value();
  }
  for (const double s : step.span<double>())
    if (!std::isnormal(static_cast<float>(std::ldexp(s, static_cast<int>(smallest_octave)))) ||
        !std::isfinite(static_cast<float>(s * levels_.count)))
      fail<ValueError>(class_name, ": the starting step is ", s, ", too small or too large for float32");
  if (power_of_two()) {
    start_ = map(step, [&](double s) { return std::log2(s * levels_.count); });
    const double lowest = lowest_exponent + std::log2(levels_.count);
    limits_.lo = map(start_, [&](double start) { return std::max(start + smallest_octave, lowest); });
    limits_.hi = Tensor::scalar(highest_exponent, DType::float64);
  } else {
    start_ = step;
    limits_.lo = map(start_, [](double start) { return std::ldexp(start, static_cast<int>(smallest_octave)); });
  }
}

void LearnedStep::create_variables(BaseTrainableQuantizer& owner, const std::optional<Shape>& shape,
                                   std::string_view name) const {
  if (weights()) check_weight_shape(std::get<0>(config_), shape, start_, name);
  const auto add = [&](const std::string& key, const Tensor& value) {
    const ParameterPtr variable = quantizer_variable(message(name, "_", key), value, !owner.freeze_quant_params());
    owner.add_quantizer_variable(key, variable);
    return variable;
  };
  const ParameterPtr first = add(first_key_, start_);
  if (power_of_two()) first->set_unit(1);                                                           // an octave
  if (uniform()) add(offset_key_, start_offset_)->set_unit(levels_.hi * root_mean_square(start_));  // the width
}

void LearnedStep::set_trainable(const BaseTrainableQuantizer& owner, bool trainable) const {
  owner.get_quantizer_variable(first_key_)->set_trainable(trainable);
  if (uniform()) owner.get_quantizer_variable(offset_key_)->set_trainable(trainable);
}

LearnedStep::Learned LearnedStep::learned(const Variable& first, const Variable& offset, double factor) const {
  const Variable inside = limited(first, factor, limits_);
  if (power_of_two()) return {exp2(ste_round(inside)) / levels_.count, {}};
  if (!uniform()) return {inside, {}};
  const Limits around_zero{(Variable(inside.value().to(DType::float64)) * -levels_.hi).value(),
                           Tensor::scalar(0, DType::float64)};
  return {inside, ste_round(-(limited(offset, factor, around_zero) / inside))};
}

LearnedStep::Learned LearnedStep::current(const BaseTrainableQuantizer& owner) const {
  const auto value = [&](const std::string& key) {
    return Variable(owner.get_quantizer_variable(key)->value().to(DType::float32));
  };
  return learned(value(first_key_), uniform() ? value(offset_key_) : Variable(), 1);
}

ConfigRange LearnedStep::range_of(const Learned& learned) const {
  const Variable step = Variable(learned.step.value().to(DType::float64));
  const Variable zero_point = Variable(learned.zero_point.value().to(DType::float64));
  return {(-zero_point * step).value(), ((levels_.hi - zero_point) * step).value()};
}

/// The step that conversion makes of the range, which may differ in the last bit.
Variable LearnedStep::on_grid(const Learned& learned) const {
  if (!uniform() || learned.step.dtype() != DType::float32) return learned.step;
  const ConfigRange range = range_of(learned);
  Tensor step = learned.step.value().clone();
  for (Index c = 0; c < step.size(); ++c) {
    const auto min = static_cast<float>(range.min.data<double>()[c]),
               max = static_cast<float>(range.max.data<double>()[c]);
    step.data<float>()[c] =
        weights() ? uniform_weights_step(min, max, bits_).scale : uniform_activation_step(min, max, bits_).scale;
  }
  return replaced(learned.step, std::move(step));
}

double LearnedStep::elements(const Shape& shape) const {
  if (weights()) return static_cast<double>(shape.size() / start_.size());
  const Index samples = shape.rank() == 0 ? 1 : shape[0];
  return samples == 0 ? 0 : static_cast<double>(shape.size() / samples);
}

Variable LearnedStep::operator()(const BaseTrainableQuantizer& owner, const Pending& x) const {
  const double factor = 1 / std::sqrt(std::max(elements(x.shape()), 1.0) * std::max(levels_.hi, 1.0));
  const Variable offset = uniform() ? variable_of(owner.get_quantizer_variable(offset_key_)) : Variable();
  const Learned now = learned(variable_of(owner.get_quantizer_variable(first_key_)), offset, factor);
  return fake_quantize(owner.identifier(), x,
                       {.step = on_grid(now),
                        .zero_point = now.zero_point,
                        .lo = levels_.lo,
                        .hi = levels_.hi,
                        .gradient = power_of_two() ? ClampGradient::level_in_bounds : ClampGradient::value_in_bounds});
}

InferablePtr LearnedStep::convert(const BaseTrainableQuantizer& owner) const {
  const Learned now = current(owner);
  if (uniform()) {
    const ConfigRange range = range_of(now);
    return std::visit([&](const auto& config) { return inferable_quantizer(config, range.min, range.max); }, config_);
  }
  const Tensor threshold = (Variable(now.step.value().to(DType::float64)) * levels_.count).value();
  return std::visit([&](const auto& config) { return inferable_quantizer(config, threshold); }, config_);
}

}  // namespace bitgrad::detail
