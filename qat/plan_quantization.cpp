// plan_quantization(): where quantizers go, and where they start.
#include <algorithm>
#include <cmath>
#include <map>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/analysis.hpp>
#include <bitgrad/qat/calibration.hpp>
#include <bitgrad/qat/preparation.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view model_input = "input";
constexpr int input_bits = 8;
constexpr Index calibration_batch = 100;
constexpr Index calibration_values = 1 << 17;  // enough for a mean squared error over 65536 levels at most

/// Shell patterns with `*` only.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*')
    return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  return !name.empty() && pattern.front() == name.front() && matches(pattern.substr(1), name.substr(1));
}

/// The rules of a configuration applied to names.
class Rules {
 public:
  Rules(const Model& model, const QuantizationConfig& config) : config_(config) {
    check("weights", config.weights);
    check("activations", config.activations);
    if (config.first_last_bits < 0 || config.first_last_bits > 16)
      fail<ValueError>("quantization config: first_last_bits is ", config.first_last_bits, ", expected 0 to 16");
    for (const LayerOverride& rule : config.overrides) {
      check(message("override \"", rule.pattern, "\": weights"), rule.weights);
      check(message("override \"", rule.pattern, "\": activations"), rule.activations);
      const bool used = matches(rule.pattern, model_input) || std::ranges::any_of(model.nodes(), [&](const Model::Node& node) {
                          return matches(rule.pattern, node.name);
                        });
      if (!used) fail<ValueError>("quantization config: the override \"", rule.pattern, "\" matches no layer of the model");
    }
  }

  bool keeps_float(std::string_view name) const {
    return std::ranges::any_of(config_.overrides, [&](const LayerOverride& rule) { return rule.keep_float && matches(rule.pattern, name); });
  }

  /// The kernel's quantizer; `edge`: the first or last layer.
  std::optional<QuantizerSpec> weights(std::string_view name, bool edge) const {
    if (keeps_float(name)) return std::nullopt;
    if (const auto chosen = overridden(name, &LayerOverride::weights)) return chosen;
    return at_edge(config_.weights, edge);
  }

  /// The quantizer of a tensor; `edge`: only the last layer reads it.
  std::optional<QuantizerSpec> activations(std::string_view producer, bool edge) const {
    if (const auto chosen = overridden(producer, &LayerOverride::activations)) return chosen;
    std::optional<QuantizerSpec> spec = at_edge(config_.activations, edge);
    if (spec && producer == model_input) spec->bits = input_bits;
    return spec;
  }

 private:
  std::optional<QuantizerSpec> overridden(std::string_view name, std::optional<QuantizerSpec> LayerOverride::* which) const {
    std::optional<QuantizerSpec> chosen;
    for (const LayerOverride& rule : config_.overrides)
      if (rule.*which && matches(rule.pattern, name)) chosen = rule.*which;
    return chosen;
  }
  static void check(std::string_view what, const std::optional<QuantizerSpec>& spec) {
    if (spec) validate(*spec, message("quantization config: ", what));
  }
  std::optional<QuantizerSpec> at_edge(std::optional<QuantizerSpec> spec, bool edge) const {
    if (spec && edge) spec->bits = std::max(spec->bits, config_.first_last_bits);
    return spec;
  }

  const QuantizationConfig& config_;
};

/// A model seen as a graph: who is first, who is last, where values come from.
class Topology {
 public:
  explicit Topology(const Model& model) : model_(model), analysis_(analyse(model)), kernels_(has_kernel()) {}

  bool has_kernel(std::size_t node) const { return kernels_[node]; }
  bool arithmetic(std::size_t node) const { return analysis_[node].kind == LayerKind::arithmetic; }
  /// Nothing that a batch of values in [0, 1] passes through can be negative.
  bool nonnegative(int node) const { return node < 0 || analysis_[static_cast<std::size_t>(node)].nonnegative; }

  /// Where the values of a node's output were computed: back through layers that only move data. -1: the model's input.
  int producer(int node) const {
    while (node >= 0 && analysis_[static_cast<std::size_t>(node)].kind == LayerKind::moves_data)
      node = model_.nodes()[static_cast<std::size_t>(node)].inputs.front();
    return node;
  }

  /// Layers with a kernel before which there is no other, or after which there is none.
  std::vector<bool> first() const {
    std::vector<bool> seen(kernels_.size(), false), result(kernels_.size(), false);
    for (std::size_t i = 0; i < kernels_.size(); ++i) {
      const bool before = std::ranges::any_of(inputs(i), [&](int input) { return input >= 0 && seen[static_cast<std::size_t>(input)]; });
      result[i] = kernels_[i] && !before;
      seen[i] = kernels_[i] || before;
    }
    return result;
  }
  std::vector<bool> last() const {
    std::vector<bool> after(kernels_.size(), false), result(kernels_.size(), false);
    for (std::size_t i = kernels_.size(); i-- > 0;) {
      result[i] = kernels_[i] && !after[i];
      for (const int input : inputs(i))
        if (input >= 0) after[static_cast<std::size_t>(input)] = after[static_cast<std::size_t>(input)] || after[i] || kernels_[i];
    }
    return result;
  }

  const std::vector<int>& inputs(std::size_t node) const { return model_.nodes()[node].inputs; }
  const std::string& name(std::size_t node) const { return model_.nodes()[node].name; }
  std::string name(int node) const { return node < 0 ? std::string(model_input) : name(static_cast<std::size_t>(node)); }
  std::size_t size() const { return kernels_.size(); }

 private:
  std::vector<bool> has_kernel() const {
    std::vector<bool> result;
    for (const Model::Node& node : model_.nodes()) result.push_back(node.layer->has_weight("kernel"));
    return result;
  }

  const Model& model_;
  std::vector<LayerAnalysis> analysis_;
  std::vector<bool> kernels_;
};

/// A sample of the values at some points of a model, from an evaluation of representative data.
class Sampler {
 public:
  Sampler(Model& model, const std::vector<int>& points, const Tensor& images) {
    const Index rows = images.dim(0);
    std::vector<Shape> shapes = model.node_shapes(model.input_shape());
    for (const int point : points) {
      const Index size = rows * (point < 0 ? model.input_shape() : shapes[static_cast<std::size_t>(point)]).size();
      points_.emplace(point, Point{std::max<Index>(1, (size + calibration_values - 1) / calibration_values), 0, {}});
    }
    for (Index begin = 0; begin < rows; begin += calibration_batch)
      run(model, images.rows(begin, std::min(begin + calibration_batch, rows)));
  }

  Tensor values(int point) const {
    const std::vector<float>& values = points_.at(point).values;
    return Tensor::from({static_cast<Index>(values.size())}, values);
  }

 private:
  struct Point {
    Index stride;  // every stride-th value is kept
    Index seen;
    std::vector<float> values;
  };

  void run(Model& model, const Tensor& batch) {
    keep(-1, batch);
    Context context;
    context.model = &model;
    std::vector<Variable> outputs;
    for (std::size_t i = 0; i < model.nodes().size(); ++i) {
      std::vector<Variable> inputs;
      for (const int number : model.nodes()[i].inputs)
        inputs.push_back(number < 0 ? Variable(batch) : outputs[static_cast<std::size_t>(number)]);
      outputs.push_back(model.nodes()[i].layer->forward(inputs, context));
      keep(static_cast<int>(i), outputs.back().value());
    }
  }

  void keep(int number, const Tensor& values) {
    const auto found = points_.find(number);
    if (found == points_.end()) return;
    Point& point = found->second;
    for (const float value : values.span<float>())
      if (point.seen++ % point.stride == 0) point.values.push_back(value);
  }

  std::map<int, Point> points_;
};

/// Calls f and says whose values they were when they cannot be calibrated from.
template <class F>
QuantizationParams calibrated(std::string_view whose, F f) {
  try {
    return f();
  } catch (const ValueError& error) {
    fail<ValueError>("plan_quantization: ", whose, ": ", error.what());
  }
}

std::vector<WeightPlan> plan_weights(const Model& model, const Topology& topology, const Rules& rules) {
  const std::vector<bool> first = topology.first(), last = topology.last();
  std::vector<WeightPlan> plans;
  for (std::size_t i = 0; i < topology.size(); ++i) {
    if (!topology.has_kernel(i)) continue;
    const auto spec = rules.weights(topology.name(i), first[i] || last[i]);
    if (!spec) continue;
    WeightPlan plan{topology.name(i), "kernel", spec->quantizer, {}};
    plan.config.method = spec->method;
    plan.config.n_bits = spec->bits;
    plan.config.weights_per_channel_threshold = spec->per_channel;
    const Tensor& kernel = model.nodes()[i].layer->weight("kernel")->value();
    plan.config.quantization_params =
        calibrated(message("the kernel of layer \"", plan.layer, '"'), [&] { return calibrate_weights(kernel, *spec); });
    plans.push_back(std::move(plan));
  }
  return plans;
}

/// Tensors that enter arithmetic, each with whether only last layers read it.
std::map<int, bool> quantized_points(const Topology& topology, const Rules& rules) {
  const std::vector<bool> last = topology.last();
  std::map<int, bool> points;
  for (std::size_t i = 0; i < topology.size(); ++i) {
    if (!topology.arithmetic(i) || rules.keeps_float(topology.name(i))) continue;
    for (const int input : topology.inputs(i)) {
      const auto [point, added] = points.emplace(topology.producer(input), last[i]);
      if (!added) point->second = point->second && last[i];
    }
  }
  return points;
}

std::vector<ActivationPlan> plan_activations(Model& model, const Topology& topology, const Rules& rules, const Tensor& images) {
  std::map<int, QuantizerSpec> specs;
  for (const auto& [point, edge] : quantized_points(topology, rules))
    if (const auto spec = rules.activations(topology.name(point), edge)) specs.emplace(point, *spec);
  std::vector<int> points;
  for (const auto& [point, spec] : specs) points.push_back(point);
  const Sampler sampler(model, points, images);
  std::vector<ActivationPlan> plans;
  for (const auto& [point, spec] : specs) {
    ActivationPlan plan{topology.name(point), spec.quantizer, {}, point >= 0};
    plan.config.method = spec.method;
    plan.config.n_bits = spec.bits;
    const bool input = point < 0, nonnegative = topology.nonnegative(point);
    plan.config.quantization_params = calibrated(
        input ? "the model's input" : message("the output of layer \"", plan.producer, '"'),
        [&, values = sampler.values(point), &chosen = spec] {
          return input ? full_range(values, chosen, nonnegative) : calibrate_activations(values, chosen, nonnegative);
        });
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace

QuantizationPlan plan_quantization(const Model& model, const Tensor& representative, const QuantizationConfig& config) {
  if (!representative.defined() || representative.dtype() != DType::float32 || representative.rank() == 0 ||
      representative.dim(0) == 0 || representative.shape().without_front() != model.input_shape())
    fail<ShapeError>("plan_quantization: representative data are ", representative.dtype(), " ", representative.shape(),
                     ", expected float32 (n, ...) of samples ", model.input_shape());
  const Rules rules(model, config);
  const auto power_of_two = [&](std::string_view layer) {
    const auto spec = rules.weights(layer, false);
    return spec && spec->method == QuantizationMethod::POWER_OF_TWO;
  };
  Model prepared = prepare_for_quantization(model, power_of_two);
  const Topology topology(prepared);
  return {plan_weights(prepared, topology, rules), plan_activations(prepared, topology, rules, representative)};
}

}  // namespace bitgrad
