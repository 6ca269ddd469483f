#include <bitgrad/quantizers/trainable/detail/mct_parts.hpp>

#include <cmath>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad::mct {
namespace {

/// 1 where `keep` holds for (min, max), else 0, in their dtype. The branch is one that gradient checks replay.
template <class Keep>
Variable where_range(const Variable& min, const Variable& max, Keep keep) {
  Tensor branches(min.shape(), DType::int32);
  const Tensor low = min.value().to(DType::float64), high = max.value().to(DType::float64);
  for (Index i = 0; i < low.size(); ++i)
    branches.data<std::int32_t>()[i] = keep(low.data<double>()[i], high.data<double>()[i]);
  replay::branch(branches);
  return Variable(branches.to(min.dtype()));
}

/// Throws ValueError for a step in float32 that would make values NaN or infinite.
void require_step(double step, const Parameter& parameter, Index element) {
  const auto rounded = static_cast<float>(step);
  if (rounded == 0 || !std::isfinite(rounded))
    fail<ValueError>(
        "\"", parameter.name(), "\" gives a step of ", rounded, " at element ", element,
        ", with which every value would become NaN or infinite; the reference's formulas have no lower bound "
        "(a smaller learning rate, or lsq)");
}

/// Width of the range once zero is included, as adjust_range_to_include_zero().
double adjusted_width(double min, double max) { return min > 0 ? max : max < 0 ? -min : max - min; }

}  // namespace

Variable usable_threshold(const ParameterPtr& threshold, double levels) {
  const Tensor values = threshold->value().to(DType::float64);
  for (Index i = 0; i < values.size(); ++i) require_step(values.data<double>()[i] / levels, *threshold, i);
  return variable_of(threshold);
}

AdjustedRange usable_range(const ParameterPtr& min, const ParameterPtr& max, int bits) {
  const Tensor low = min->value().to(DType::float64), high = max->value().to(DType::float64);
  for (Index i = 0; i < low.size(); ++i) {
    const double from = low.data<double>()[i], to = high.data<double>()[i], levels = (1 << bits) - 1;
    require_step((to - from) / levels, *max, i);  // divides min, whether or not the result is used
    require_step(adjusted_width(from, to) / levels, *max, i);
  }
  return adjust_range_to_include_zero(variable_of(min), variable_of(max), bits);
}

void add_range(BaseTrainableQuantizer& owner, std::string_view name, const detail::ConfigRange& start, bool learns) {
  const double width = root_mean_square((Variable(start.max) - Variable(start.min)).value());
  const auto add = [&](std::string_view key, const Tensor& value) {
    const ParameterPtr variable = detail::quantizer_variable(message(name, "_", key), value, learns);
    variable->set_unit(width);
    owner.add_quantizer_variable(key, variable);
  };
  add(min_key, start.min);
  add(max_key, start.max);
}

Tensor weights_threshold(const TrainableQuantizerWeightsConfig& config, std::string_view class_name) {
  const bool power_of_two = config.method == QuantizationMethod::POWER_OF_TWO;
  const Tensor threshold = detail::config_threshold(config, class_name, power_of_two);
  if (!power_of_two) return threshold;
  Tensor rounded = threshold.clone();
  for (double& value : rounded.span<double>()) value = power_of_two_at_start(value);
  return rounded;
}

AdjustedRange adjust_range_to_include_zero(const Variable& min, const Variable& max, int bits) {
  const Variable positive = where_range(min, max, [](double low, double) { return low > 0; });
  const Variable negative = where_range(min, max, [](double low, double high) { return !(low > 0) && high < 0; });
  const Variable between = 1.0 - positive - negative;
  const Variable width = max - min;
  const Variable step = width / static_cast<double>((1 << bits) - 1);
  const Variable moved_min = step * round(min / step);
  const Variable moved_max = width + moved_min;
  return {moved_min * between + negative * min, moved_max * between + positive * max};
}

detail::ConfigRange adjusted(const Tensor& min, const Tensor& max, int bits) {
  Tensor low = min.to(DType::float32).clone(), high = max.to(DType::float32).clone();
  for (Index i = 0; i < low.size(); ++i) {
    const Range<float> range = bitgrad::adjust_range_to_include_zero(low.data<float>()[i], high.data<float>()[i], bits);
    low.data<float>()[i] = range.min;
    high.data<float>()[i] = range.max;
  }
  return {low, high};
}

Tensor converted_threshold(QuantizationMethod method, const Tensor& threshold) {
  if (method != QuantizationMethod::POWER_OF_TWO) return threshold;
  Tensor rounded = threshold.to(DType::float32).clone();
  for (float& value : rounded.span<float>()) value = power_of_two_at_conversion(value);
  return rounded;
}

std::vector<Departure> departures_by_threshold(QuantizationMethod method, const Formulas& formulas) {
  std::vector<Departure> result;
  if (formulas.scales_gradient)
    result.push_back({Property::exact_conversion, "grad_scale() moves the step by its last bit, as in the reference"});
  if (!formulas.learns) return result;
  result.push_back(
      {Property::positive_step, "a threshold may be learned to zero and below; only conversion refuses it"});
  if (method != QuantizationMethod::POWER_OF_TWO) return result;
  for (const Property property : {Property::power_of_two, Property::conversion})
    result.push_back({property, "only conversion rounds the learned threshold up to a power of two"});
  return result;
}

std::vector<Departure> departures_by_range(const Formulas& formulas) {
  std::vector<Departure> result{
      {Property::exact_conversion,
       "ties of (x - min) / step fall differently from those of x / step, and levels are step * "
       "level + min"}};
  if (formulas.scales_gradient)
    result.push_back({Property::zero, "zero is step * level + min, whose step grad_scale() moves by its last bit"});
  if (formulas.learns)
    result.push_back(
        {Property::positive_step, "min and max may be learned to meet or to cross; only conversion refuses them"});
  return result;
}

void require_convertible(const Tensor& range, std::string_view class_name) {
  if (range.rank() == 0)
    fail<ValueError>(class_name,
                     ": range_min and range_max are scalars, which this quantizer cannot convert; configure tensors "
                     "of shape (1)");
}

}  // namespace bitgrad::mct
