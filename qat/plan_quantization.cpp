// plan_quantization(): where quantizers go, and where they start.
#include <algorithm>
#include <map>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/calibration.hpp>
#include <bitgrad/qat/detail/layer_rules.hpp>
#include <bitgrad/qat/detail/sampler.hpp>
#include <bitgrad/qat/detail/topology.hpp>
#include <bitgrad/qat/preparation.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad {
namespace {

using namespace qat;

constexpr std::string_view kernel = "kernel";

struct WeightPlace {
  std::size_t node;
  std::string weight;
  QuantizerSpec spec;
};

struct ActivationPlace {
  int point;  // node number, -1 for the model's input
  QuantizerSpec spec;
};

/// What goes where, before anything is calibrated.
struct Placement {
  std::vector<WeightPlace> weights;
  std::vector<ActivationPlace> activations;
};

std::vector<WeightPlace> place_weights(const Topology& topology, LayerRules& rules) {
  const std::vector<bool> first = topology.first(), last = topology.last();
  std::vector<WeightPlace> places;
  for (std::size_t i = 0; i < topology.size(); ++i) {
    const Model::Node& node = topology.node(i);
    if (topology.has_kernel(i))
      if (const auto spec = rules.kernel(node, first[i] || last[i])) places.push_back({i, std::string(kernel), *spec});
    for (auto& [weight, spec] : rules.other_weights(node)) {
      if (node.layer->weight(weight)->value().rank() < 2) spec.per_channel = false;
      places.push_back({i, weight, spec});
    }
  }
  return places;
}

/// Tensors that enter arithmetic, each with whether only last layers read it.
std::map<int, bool> quantized_points(const Topology& topology, LayerRules& rules) {
  const std::vector<bool> last = topology.last();
  std::map<int, bool> points;
  for (std::size_t i = 0; i < topology.size(); ++i) {
    if (!topology.arithmetic(i) || rules.keeps_float(topology.node(i))) continue;
    for (const int input : topology.node(i).inputs) {
      const auto [point, added] = points.emplace(topology.producer(input), last[i]);
      if (!added) point->second = point->second && last[i];
    }
  }
  return points;
}

std::vector<ActivationPlace> place_activations(const Topology& topology, LayerRules& rules) {
  std::vector<ActivationPlace> places;
  for (const auto& [point, edge] : quantized_points(topology, rules)) {
    std::optional<QuantizerSpec> spec;
    const bool images = point >= 0 && topology.node(static_cast<std::size_t>(point)).layer->type() == "Normalize";
    if (point < 0) {
      spec = rules.input();
    } else {
      std::vector<const Model::Node*> nodes;
      for (const std::size_t number : topology.computed_by(static_cast<std::size_t>(point)))
        nodes.push_back(&topology.node(number));
      spec = rules.activations(nodes, edge || images);  // images less their mean are still the network's input
    }
    if (spec) places.push_back({point, *spec});
  }
  return places;
}

Placement place(const Topology& topology, LayerRules& rules) {
  const Placement placement{place_weights(topology, rules), place_activations(topology, rules)};
  std::vector<std::string> kernels, tensors;
  for (std::size_t i = 0; i < topology.size(); ++i)
    if (topology.has_kernel(i)) kernels.push_back(topology.node(i).name);
  for (const auto& [point, edge] : quantized_points(topology, rules)) tensors.push_back(topology.name(point));
  rules.require_effect(kernels, tensors);
  return placement;
}

WeightPlan plan_of(const Topology& topology, const WeightPlace& place) {
  WeightPlan plan{topology.node(place.node).name, place.weight, place.spec.quantizer, {}};
  plan.config.method = method_of(place.spec, QuantizationTarget::Weights);
  plan.config.n_bits = place.spec.bits;
  plan.config.weights_per_channel_threshold = place.spec.per_channel;
  return plan;
}

ActivationPlan plan_of(const Topology& topology, const ActivationPlace& place, QuantizationParams params) {
  ActivationPlan plan{topology.name(place.point), place.spec.quantizer, {}, place.point >= 0};
  plan.config.method = method_of(place.spec, QuantizationTarget::Activation);
  plan.config.n_bits = place.spec.bits;
  plan.config.quantization_params = std::move(params);
  return plan;
}

/// Calls f and says whose values they were when they cannot be calibrated from.
template <class F>
QuantizationParams explained(std::string_view whose, F f) {
  try {
    return f();
  } catch (const ValueError& error) {
    fail<ValueError>("plan_quantization: ", whose, ": ", error.what());
  }
}

/// The quantizer's own start where it has one and nobody chose a calibration, else the calibrated one.
QuantizationParams start_of(const Tensor& weight, const QuantizerSpec& spec, const WeightPlan& plan,
                            const QuantizationConfig& config) {
  const TrainableEntry& entry =
      get_trainable_quantizer_class(QuantizationTarget::Weights, plan.identifier, plan.config.method);
  const bool chosen = spec.calibration || config.calibration != Calibration{};
  if (entry.weights_start && !chosen) return entry.weights_start(weight, plan.config);
  QuantizerSpec calibrated = spec;
  calibrated.calibration = spec.calibration.value_or(config.calibration);
  return calibrate_weights(weight, calibrated);
}

/// What a quantizer of the method will see.
Tensor value_of(const Model& model, const WeightPlace& place, QuantizationMethod method) {
  const Layer& layer = *model.nodes()[place.node].layer;
  if (quantized_with_gain(place.weight, method))
    for (const BatchNormPair& pair : batch_norm_pairs(model))
      if (pair.layer == static_cast<int>(place.node))
        return kernel_with_gain(
            layer, dynamic_cast<const BatchNorm&>(*model.nodes()[static_cast<std::size_t>(pair.batch_norm)].layer));
  return layer.weight(place.weight)->value();
}

std::vector<WeightPlan> calibrated(const Model& model, const Topology& topology, const std::vector<WeightPlace>& places,
                                   const QuantizationConfig& config) {
  std::vector<WeightPlan> plans;
  for (const WeightPlace& place : places) {
    const Model::Node& node = topology.node(place.node);
    const std::string whose = message("the ", place.weight, " of layer \"", node.name, '"');
    plans.push_back(plan_of(topology, place));
    WeightPlan& plan = plans.back();
    plan.config.quantization_params = explained(
        whose, [&] { return start_of(value_of(model, place, plan.config.method), place.spec, plan, config); });
  }
  return plans;
}

std::vector<ActivationPlan> calibrated(Model& model, const Topology& topology, std::vector<ActivationPlace> places,
                                       const Tensor& images, const QuantizationConfig& config) {
  std::vector<int> points;
  for (const ActivationPlace& place : places) points.push_back(place.point);
  const Sampler sampler(model, points, images);
  std::vector<ActivationPlan> plans;
  for (ActivationPlace& place : places) {
    const bool whole_range = place.point < 0 && !place.spec.calibration;
    place.spec.calibration = place.spec.calibration.value_or(config.calibration);
    const auto calibrate = whole_range ? full_range : calibrate_activations;
    const bool nonnegative = topology.nonnegative(place.point);
    const std::string whose =
        place.point < 0 ? "the model's input" : message("the output of layer \"", topology.name(place.point), '"');
    QuantizationParams params =
        explained(whose, [&] { return calibrate(sampler.values(place.point), place.spec, nonnegative); });
    plans.push_back(plan_of(topology, place, std::move(params)));
  }
  return plans;
}

}  // namespace

QuantizationPlan plan_quantization(const Model& model, const Tensor& representative, const QuantizationConfig& config) {
  if (!representative.defined() || representative.dtype() != DType::float32 || representative.rank() == 0 ||
      representative.dim(0) == 0 || representative.shape().without_front() != model.input_shape())
    fail<ShapeError>("plan_quantization: representative data are ", representative.dtype(), " ", representative.shape(),
                     ", expected float32 (n, ...) of samples ", model.input_shape());
  LayerRules rules(model, config);
  Model ready = prepare_for_quantization(model);
  const Topology topology(ready);
  const Placement placement = place(topology, rules);
  return {calibrated(ready, topology, placement.weights, config),
          calibrated(ready, topology, placement.activations, representative, config)};
}

}  // namespace bitgrad
