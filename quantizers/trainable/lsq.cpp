#include <bitgrad/quantizers/trainable/lsq.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/quantizers/inferable/uniform.hpp>
#include <bitgrad/quantizers/trainable/fake_quantize.hpp>

namespace bitgrad {
namespace lsq {
namespace {

constexpr std::string_view scale_key = "scale";
constexpr std::string_view offset_key = "offset";
constexpr double smallest_share = 0x1p-16;  // of the starting step

/// A parameter as the forward pass sees it: the same value, or the floor where there is one and the value is below;
/// gradient `factor`. Unlike grad_scale() it does not touch the last bit, since conversion has to meet the same number.
Variable seen(const Variable& p, double factor, const Tensor& floor = {}) {
  Tensor y = p.value().clone();
  if (floor.defined()) {
    dispatch_floating("lsq", p.dtype(), [&](auto zero) {
      using T = decltype(zero);
      for (Index i = 0; i < y.size(); ++i)
        if (y.data<T>()[i] < static_cast<T>(floor.data<double>()[i]))
          y.data<T>()[i] = static_cast<T>(floor.data<double>()[i]);
    });
  }
  replay::residual(p.value(), y, factor);
  return record_operation("lsq_parameter", std::move(y), {p},
                          [factor](const Tensor& g, GradSink& sink) { sink.add(0, (Variable(g) * factor).value()); });
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

Tensor map(const Tensor& x, const Tensor& y, double (*f)(double, double)) {
  Tensor result = x.clone();
  for (Index i = 0; i < x.size(); ++i) result.data<double>()[i] = f(x.data<double>()[i], y.data<double>()[i]);
  return result;
}

}  // namespace

LearnedStep::LearnedStep(const BaseQuantizerConfig& config, QuantizationTarget target, std::string_view class_name)
    : target_(target), method_(config.method), bits_(config.n_bits) {
  if (method_ == QuantizationMethod::UNIFORM) {
    levels_ = detail::uniform_levels(bits_);
    const detail::ConfigRange range = detail::config_range(config, class_name);
    start_step_ =
        map(range.min, range.max, [](double min, double max) { return std::max(max, 0.0) - std::min(min, 0.0); });
    for (double& step : start_step_.span<double>()) step /= levels_.hi;
    start_offset_ = map(range.min, range.max, [](double min, double) { return std::min(min, 0.0); });
  } else {
    levels_ = detail::symmetric_levels(bits_, target == QuantizationTarget::Weights || detail::is_signed(config));
    start_step_ = detail::config_threshold(config, class_name).clone();
    for (double& step : start_step_.span<double>()) step /= levels_.count;
  }
  floor_ = (Variable(start_step_) * smallest_share).value();
  for (const double step : start_step_.span<double>())
    if (!std::isnormal(static_cast<float>(step * smallest_share)) ||
        !std::isfinite(static_cast<float>(step * levels_.count)))
      fail<ValueError>(class_name, ": the starting step is ", step, ", too small or too large for float32");
}

void LearnedStep::create_variables(BaseTrainableQuantizer& owner, std::string_view name, bool activation) const {
  const auto add = [&](std::string_view key, const Tensor& start) {
    const Tensor value = activation ? start.reshape(Shape{1}) : start;
    owner.add_quantizer_variable(
        key, detail::quantizer_variable(message(name, "_", key), value, !owner.freeze_quant_params()));
  };
  add(scale_key, start_step_);
  if (uniform()) add(offset_key, start_offset_);
}

LearnedStep::Learned LearnedStep::learned(const Variable& step, const Variable& offset, double factor) const {
  Variable s = seen(step, factor, floor_);
  if (method_ == QuantizationMethod::POWER_OF_TWO) s = exp2(ste_round(log(s) * std::numbers::log2e));
  if (!uniform()) return {s, {}};
  return {s, ste_clip(ste_round(-(seen(offset, factor) / s)), levels_.lo, levels_.hi)};
}

LearnedStep::Learned LearnedStep::current(const BaseTrainableQuantizer& owner) const {
  const auto value = [&](std::string_view key) {
    return Variable(owner.get_quantizer_variable(key)->value().to(DType::float32));
  };
  return learned(value(scale_key), uniform() ? value(offset_key) : Variable(), 1);
}

detail::ConfigRange LearnedStep::range_of(const Learned& learned) const {
  const Variable step = Variable(learned.step.value().to(DType::float64));
  const Variable zero_point = Variable(learned.zero_point.value().to(DType::float64));
  return {(-zero_point * step).value(), ((levels_.hi - zero_point) * step).value()};
}

Variable LearnedStep::on_grid(const Learned& learned) const {
  if (!uniform() || learned.step.dtype() != DType::float32) return learned.step;
  const detail::ConfigRange range = range_of(learned);
  Tensor step = learned.step.value().clone();
  for (Index c = 0; c < step.size(); ++c) {
    const auto min = static_cast<float>(range.min.data<double>()[c]),
               max = static_cast<float>(range.max.data<double>()[c]);
    step.data<float>()[c] = target_ == QuantizationTarget::Weights ? uniform_weights_step(min, max, bits_).scale
                                                                   : uniform_activation_step(min, max, bits_).scale;
  }
  return replaced(learned.step, std::move(step));
}

Variable LearnedStep::quantize(const BaseTrainableQuantizer& owner, const Variable& x, Index elements) const {
  const double largest_level = std::max(levels_.hi, 1.0);  // 1 bit signed has 0
  const double factor = 1 / std::sqrt(static_cast<double>(std::max<Index>(elements, 1)) * largest_level);
  const Variable offset = uniform() ? variable_of(owner.get_quantizer_variable(offset_key)) : Variable();
  const Learned now = learned(variable_of(owner.get_quantizer_variable(scale_key)), offset, factor);
  return fake_quantize("lsq", x,
                       {.step = on_grid(now), .zero_point = now.zero_point, .lo = levels_.lo, .hi = levels_.hi});
}

Tensor LearnedStep::threshold(const BaseTrainableQuantizer& owner) const {
  return (Variable(current(owner).step.value().to(DType::float64)) * levels_.count).value();
}

detail::ConfigRange LearnedStep::range(const BaseTrainableQuantizer& owner) const { return range_of(current(owner)); }

}  // namespace lsq

LearnedStepWeightsQuantizer::LearnedStepWeightsQuantizer(const TrainableQuantizerWeightsConfig& config,
                                                         bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params), step_(config, mark.target, "LearnedStepWeightsQuantizer") {
  detail::check_weight_parameter(config, step_.start(), "LearnedStepWeightsQuantizer");
}

void LearnedStepWeightsQuantizer::initialize_quantization(const std::optional<Shape>& shape, std::string_view name) {
  detail::check_weight_shape(config(), shape, step_.start(), name);
  step_.create_variables(*this, name, false);
}

Variable LearnedStepWeightsQuantizer::operator()(const Variable& x, bool) {
  return step_.quantize(*this, x, x.value().size() / step_.start().size());
}

InferablePtr LearnedStepWeightsQuantizer::convert2inferable() const {
  if (!step_.uniform()) return detail::weights_inferable(config(), step_.threshold(*this));
  const detail::ConfigRange range = step_.range(*this);
  return detail::weights_inferable(config(), range.min, range.max);
}

LearnedStepActivationQuantizer::LearnedStepActivationQuantizer(const TrainableQuantizerActivationConfig& config,
                                                               bool freeze_quant_params)
    : TrainableQuantizer(config, freeze_quant_params), step_(config, mark.target, "LearnedStepActivationQuantizer") {
  detail::one_element(step_.start(), step_.uniform() ? "range_min" : "threshold", "LearnedStepActivationQuantizer");
}

void LearnedStepActivationQuantizer::initialize_quantization(const std::optional<Shape>&, std::string_view name) {
  step_.create_variables(*this, name, true);
}

Variable LearnedStepActivationQuantizer::operator()(const Variable& x, bool) {
  const Index samples = x.shape().rank() == 0 ? 1 : x.shape()[0];
  return step_.quantize(*this, x, samples == 0 ? 0 : x.value().size() / samples);
}

InferablePtr LearnedStepActivationQuantizer::convert2inferable() const {
  if (!step_.uniform()) return detail::activation_inferable(config(), step_.threshold(*this));
  const detail::ConfigRange range = step_.range(*this);
  return detail::activation_inferable(config(), range.min, range.max);
}

}  // namespace bitgrad
