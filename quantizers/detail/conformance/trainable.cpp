// A trainable quantizer in several states of its variables.
#include <algorithm>
#include <cmath>
#include <limits>

#include <bitgrad/quantizers/detail/conformance/checks.hpp>
#include <bitgrad/quantizers/detail/conformance/gradients.hpp>
#include <bitgrad/quantizers/detail/conformance/outputs.hpp>
#include <bitgrad/quantizers/detail/conformance/rule.hpp>
#include <bitgrad/quantizers/range.hpp>

namespace bitgrad::conformance {
namespace {

/// Where an optimizer may have taken the variables, relative to their start.
constexpr double factors[] = {1, 1.07, 0.913, 1.3};

void scale_trainable(BaseTrainableQuantizer& quantizer, double factor) {
  for (const auto& variable : quantizer.variables())
    if (variable.parameter->trainable())
      for (float& value : variable.parameter->value().span<float>()) value *= static_cast<float>(factor);
}

std::string state_of(double factor) { return factor == 1 ? "" : message("variables ", factor, " times their start: "); }

class TrainableChecks {
 public:
  TrainableChecks(const BaseTrainableQuantizer& q, const ConformanceOptions& options, Recorder& recorder)
      : q_(q), options_(options), recorder_(recorder), rank_(rank_of(q)), axis_(channel_axis_of(q)) {}

  void run() {
    const TrainablePtr start = initialized_copy(q_);
    start_ = ruler_of_converted(*start->convert2inferable(), "");
    for (const double factor : factors) {
      const TrainablePtr quantizer = initialized_copy(q_);
      scale_trainable(*quantizer, factor);
      const std::string state = state_of(factor);
      recorder_.check(Property::power_of_two, state + "the forward pass", [&] { power_of_two(*quantizer, state); });
      recorder_.check(Property::conversion, state + "convert2inferable()", [&] { in_state(*quantizer, state); });
    }
    recorder_.check(Property::gradient, "",
                    [&] { check_gradient(*initialized_copy(q_), rank_, "", options_, recorder_); });
    recorder_.check(Property::positive_step, "", [&] { positive_step(); });
    recorder_.check(Property::threads, "", [&] { threads(); });
  }

 private:
  static Tensor forward(BaseTrainableQuantizer& quantizer, const Tensor& x) {
    return quantizer(Variable(x), false).value();
  }

  /// Along the axis of the configuration, whatever the converted quantizer says.
  Ruler ruler_of_converted(const BaseInferableQuantizer& converted, const std::string& state) {
    const Grid grid = converted.grid();
    Ruler ruler = ruler_of(grid);
    const auto normalized = [this](const std::optional<int>& axis) {
      return axis ? normalize_axis(*axis, rank_, "channel axis") : -1;
    };
    const auto written = [](const std::optional<int>& axis) {
      return axis ? message("along axis ", *axis) : std::string("per tensor");
    };
    if (grid.scale.size() > 1 && normalized(grid.channel_axis) != normalized(axis_))
      recorder_.find(
          Property::channel_axis, state + converted.describe(),
          message("the converted quantizer is ", written(grid.channel_axis), ", the configuration ", written(axis_)));
    if (grid.scale.size() > 1) ruler.axis = axis_ ? axis_ : grid.channel_axis;
    return ruler;
  }

  void in_state(BaseTrainableQuantizer& quantizer, const std::string& state) {
    const InferablePtr converted = quantizer.convert2inferable();
    if (converted->marks().target != quantizer.marks().target)
      recorder_.find(Property::conversion, state + converted->describe(),
                     "is for another target than the trained quantizer");
    const Quantization quantization{.values = [&](const Tensor& x) { return forward(quantizer, x); },
                                    .ruler = ruler_of_converted(*converted, state),
                                    .rank = rank_,
                                    .bits = converted->bits(),
                                    .state = state,
                                    .seed = options_.seed};
    check_outputs(quantization, recorder_);
    const Probe probe(quantization.ruler, rank_, dense_positions(quantization.ruler, options_.seed));
    const std::string what = state + "inputs around the levels";
    recorder_.check(Property::conversion, what, [&] { conversion(quantizer, *converted, probe, state); });
    recorder_.check(Property::power_of_two, what, [&] { power_of_two(*converted, state); });
    recorder_.check(Property::repeated_conversion, what,
                    [&] { repeated_conversion(quantizer, *converted, probe, state); });
  }

  void conversion(BaseTrainableQuantizer& quantizer, const BaseInferableQuantizer& converted, const Probe& probe,
                  const std::string& state) {
    const Grid grid = converted.grid();
    const Tensor y = require_like(forward(quantizer, probe.x), probe.x);
    compare_closely(probe, y, grid, Property::conversion, state, recorder_);
    if (!recorder_.found(Property::conversion))
      compare_with_rule(probe, to_doubles(y), Compared::values, grid, Property::exact_conversion, state, recorder_);
  }

  void power_of_two(const BaseInferableQuantizer& converted, const std::string& state) {
    if (q_.config().method != QuantizationMethod::POWER_OF_TWO) return;
    for (const float scale : converted.grid().scale)
      if (!is_power_of_two(scale))
        recorder_.find(Property::power_of_two, state + converted.describe(), message("scale ", scale));
  }

  /// Symmetric around zero: the smallest output that is not zero is the step.
  void power_of_two(BaseTrainableQuantizer& quantizer, const std::string& state) {
    if (q_.config().method != QuantizationMethod::POWER_OF_TWO) return;
    const Probe probe(start_, rank_, dense_positions(start_, options_.seed));
    const Tensor y = require_like(forward(quantizer, probe.x), probe.x);
    std::vector<float> smallest(probe.ruler.channels(), std::numeric_limits<float>::infinity());
    for (Index i = 0; i < y.size(); ++i) {
      float& step = smallest[probe.layout.channel_of(i)];
      if (const float value = std::abs(y.data<float>()[i]); value > 0) step = std::min(step, value);
    }
    for (std::size_t c = 0; c < smallest.size(); ++c)
      if (!is_power_of_two(smallest[c]))
        recorder_.find(Property::power_of_two, message(state, "channel ", c, " of the forward pass"),
                       message("step ", smallest[c]));
  }

  void repeated_conversion(BaseTrainableQuantizer& quantizer, const BaseInferableQuantizer& converted,
                           const Probe& probe, const std::string& state) {
    const auto differs = [&](const char* what, const std::string& json) {
      if (json != converted.to_json())
        recorder_.find(Property::repeated_conversion, message(state, what),
                       message(json, ", expected ", converted.to_json()));
    };
    std::vector<Tensor> before;
    for (const auto& variable : quantizer.variables()) before.push_back(variable.parameter->value().clone());
    const Tensor y = forward(quantizer, probe.x).clone();
    differs("converted a second time", quantizer.convert2inferable()->to_json());
    const TrainablePtr copy = quantizer.clone();
    differs("a copy", copy->convert2inferable()->to_json());
    scale_trainable(*copy, 3);
    differs("after its copy was changed", quantizer.convert2inferable()->to_json());
    for (std::size_t i = 0; i < before.size(); ++i)
      if (!identical(before[i], quantizer.variables()[i].parameter->value()))
        recorder_.find(Property::repeated_conversion, state + "conversion",
                       message("changes the variable ", quantizer.variables()[i].key));
    if (!identical(y, forward(quantizer, probe.x)))
      recorder_.find(Property::repeated_conversion, state + "conversion", "changes the forward pass");
  }

  /// Whatever an optimizer does to one variable: an exception, or a quantizer that still is one.
  void positive_step() {
    const TrainablePtr start = initialized_copy(q_);
    const Probe probe(start_, rank_, dense_positions(start_, options_.seed));
    for (std::size_t v = 0; v < start->variables().size(); ++v) {
      if (!start->variables()[v].parameter->trainable()) continue;
      for (const float factor : {-1.0F, 0.0F, 1e-30F, -1000.0F}) {
        const TrainablePtr quantizer = initialized_copy(q_);
        for (float& value : quantizer->variables()[v].parameter->value().span<float>()) value *= factor;
        survives(*quantizer, probe,
                 message("variable ", quantizer->variables()[v].key, " ", factor, " times its start: "));
      }
    }
  }

  void survives(BaseTrainableQuantizer& quantizer, const Probe& probe, const std::string& state) {
    Tensor y;
    InferablePtr converted;
    try {
      y = forward(quantizer, probe.x);
    } catch (const Error&) {
      return;  // says so, instead of training on
    }
    for (Index i = 0; i < y.size(); ++i)
      if (!std::isfinite(y.data<float>()[i]))
        return recorder_.find(Property::positive_step, state + probe.name(i), message("becomes ", y.data<float>()[i]));
    try {
      converted = quantizer.convert2inferable();
      validate(converted->grid(), converted->type());
    } catch (const Error& error) {
      return recorder_.find(Property::positive_step, state + "the forward pass goes on",
                            message("but it cannot be converted: ", error.what()));
    }
    if (!recorder_.declared(Property::conversion) && !recorder_.found(Property::conversion))
      compare_closely(probe, y, converted->grid(), Property::positive_step, state, recorder_);
  }

  void threads() {
    const TrainablePtr quantizer = initialized_copy(q_);
    const Quantization quantization{
        .values = {}, .ruler = start_, .rank = rank_, .bits = q_.config().n_bits, .state = "", .seed = options_.seed};
    check_threads(
        quantization, options_.threads, [&](const Tensor& x) { return outputs_and_gradients(*quantizer, x); },
        recorder_);
  }

  const BaseTrainableQuantizer& q_;
  const ConformanceOptions& options_;
  Recorder& recorder_;
  int rank_;
  std::optional<int> axis_;
  Ruler start_;  // of the quantizer as it starts
};

const Tensor* parameter_of(const BaseQuantizerConfig& config) {
  for (const char* key : {"threshold", "range_min"})
    if (const auto found = config.quantization_params.find(key); found != config.quantization_params.end())
      return &found->second;
  return nullptr;
}

}  // namespace

std::optional<int> channel_axis_of(const BaseTrainableQuantizer& quantizer) {
  if (quantizer.marks().target != QuantizationTarget::Weights) return {};
  const auto& config = static_cast<const TrainableQuantizerWeightsConfig&>(quantizer.config());
  const Tensor* parameter = parameter_of(config);
  if (!config.weights_per_channel_threshold || parameter == nullptr || parameter->size() == 1) return {};
  return config.weights_channels_axis;
}

int rank_of(const BaseTrainableQuantizer& quantizer) {
  const Tensor* parameter = parameter_of(quantizer.config());
  return parameter != nullptr && parameter->rank() > 1 ? parameter->rank() : 3;
}

TrainablePtr initialized_copy(const BaseTrainableQuantizer& quantizer) {
  TrainablePtr copy = quantizer.clone();
  if (!copy->variables().empty()) return copy;
  std::optional<Shape> shape;
  if (quantizer.marks().target == QuantizationTarget::Weights) {
    const int rank = rank_of(quantizer);
    std::vector<Index> extents(static_cast<std::size_t>(rank), 4);
    if (const auto axis = channel_axis_of(quantizer))
      extents[static_cast<std::size_t>(normalize_axis(*axis, rank, "channels axis"))] =
          parameter_of(quantizer.config())->size();
    shape = Shape(extents);
  }
  copy->initialize_quantization(shape, "conformance");
  return copy;
}

std::string title(const BaseTrainableQuantizer& quantizer) {
  const BaseQuantizerConfig& config = quantizer.config();
  std::string text = message(describe(quantizer.marks()), " as ", name_of(config.method), ", ", config.n_bits,
                             config.n_bits == 1 ? " bit" : " bits");
  if (const auto axis = channel_axis_of(quantizer)) text += message(", channels on axis ", *axis);
  if (const auto found = config.quantization_params.find("is_signed"); found != config.quantization_params.end())
    text += found->second.item() == 0 ? ", unsigned" : ", signed";
  return text;
}

void check_trainable(const BaseTrainableQuantizer& quantizer, const ConformanceOptions& options, Recorder& recorder) {
  TrainableChecks(quantizer, options, recorder).run();
}

}  // namespace bitgrad::conformance
