// attach_quantizers(): a float model and a plan become a model with quantizers.
#include <algorithm>
#include <map>
#include <set>

#include <bitgrad/core/suggest.hpp>
#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/analysis.hpp>
#include <bitgrad/qat/plan.hpp>
#include <bitgrad/qat/preparation.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view model_input = "input";

void require_no_quantizers(const Model& model) {
  for (const Model::Node& node : model.nodes())
    for_each_layer(*node.layer, [&](const Layer& layer) {
      if (dynamic_cast<const ActivationQuantizationHolder*>(&layer) || dynamic_cast<const QuantizationWrapper*>(&layer))
        fail<StateError>("attach_quantizers: layer \"", node.name, "\" ",
                         &layer == node.layer.get() ? "is already" : "holds", " a ", layer.type(),
                         "; start from the float model");
    });
}

/// The plan by name, each name checked against the model.
struct PlanIndex {
  std::map<std::string, std::vector<const WeightPlan*>, std::less<>> weights;
  std::map<std::string, const ActivationPlan*, std::less<>> activations;
};

PlanIndex index_plan(const Model& model, const QuantizationPlan& plan) {
  std::vector<std::string> names;
  for (const Model::Node& node : model.nodes()) names.push_back(node.name);
  const auto require_known = [&](const std::string& name) {
    if (name != model_input && std::ranges::find(names, name) == names.end())
      fail<ValueError>("attach_quantizers: ", unknown_name("layer", name, names));
  };
  PlanIndex index;
  for (const WeightPlan& entry : plan.weights) {
    require_known(entry.layer);
    if (!entry.config.enable_quantization) continue;
    std::vector<const WeightPlan*>& entries = index.weights[entry.layer];
    if (std::ranges::find(entries, entry.weight, &WeightPlan::weight) != entries.end())
      fail<ValueError>("attach_quantizers: weight \"", entry.weight, "\" of \"", entry.layer,
                       "\" has two quantizers in the plan");
    entries.push_back(&entry);
  }
  for (const ActivationPlan& entry : plan.activations) {
    require_known(entry.producer);
    if (!entry.config.enable_quantization) continue;
    if (!index.activations.emplace(entry.producer, &entry).second)
      fail<ValueError>("attach_quantizers: the output of \"", entry.producer, "\" has two quantizers in the plan");
  }
  return index;
}

class Attacher {
 public:
  Attacher(const Model& model, const PlanIndex& plan) : model_(model), plan_(plan), analysis_(analyse(model)) {
    for (const BatchNormPair& pair : batch_norm_pairs(model))
      if (plan_.weights.contains(node(pair.layer).name)) batch_norm_of_[pair.layer] = pair.batch_norm;
    for (const auto& [layer, batch_norm] : batch_norm_of_) {
      merged_.insert(batch_norm);
      if (plan_.activations.contains(node(layer).name))
        fail<ValueError>("attach_quantizers: \"", node(layer).name, "\" is folded with \"", node(batch_norm).name,
                         "\", so only the output of the latter can be quantized");
    }
  }

  Model run() {
    return rebuild(
        model_,
        [this](Model& target, int number, const Model::Node& from, const std::vector<Model::Value>& inputs) {
          return with_holder(target, from.name, copy(target, number, from, inputs));
        },
        [this](Model& target) { return with_holder(target, model_input, target.input()); });
  }

 private:
  const Model::Node& node(int number) const { return model_.nodes()[static_cast<std::size_t>(number)]; }

  Model::Value copy(Model& target, int number, const Model::Node& from, const std::vector<Model::Value>& inputs) const {
    if (merged_.contains(number)) return inputs.front();
    const auto planned = plan_.weights.find(from.name);
    if (planned == plan_.weights.end()) return target.add(from.layer->clone(), inputs, from.name);
    return target.add(wrap(number, from, planned->second), inputs, from.name);
  }

  QuantizationWrapper wrap(int number, const Model::Node& from, const std::vector<const WeightPlan*>& weights) const {
    NodeQuantizationDispatcher dispatcher;
    for (const WeightPlan* entry : weights)
      dispatcher.add_weight_quantizer(entry->weight, make_trainable(entry->identifier, entry->config));
    QuantizationWrapperOptions options;
    if (const auto found = batch_norm_of_.find(number); found != batch_norm_of_.end())
      options.batch_norm.emplace(dynamic_cast<const BatchNorm&>(*node(found->second).layer));
    for (const WeightPlan* entry : weights)
      if (quantized_with_gain(entry->weight, entry->config.method)) options.gain_goes_into = GainGoesInto::kernel;
    if (from.inputs.size() == 1) options.input_holder = holder_of(from.inputs.front());
    return QuantizationWrapper(from.layer->clone(), std::move(dispatcher), std::move(options));
  }

  /// The holder whose grid the output of a node is on, through layers that only move data; empty when there is none.
  std::string holder_of(int number) const {
    while (true) {
      const std::string_view name = number < 0 ? model_input : std::string_view(node(number).name);
      if (plan_.activations.contains(name)) return holder_name(name);
      if (number < 0 || analysis_[static_cast<std::size_t>(number)].kind != LayerKind::moves_data) return {};
      number = node(number).inputs.front();
    }
  }

  Model::Value with_holder(Model& target, std::string_view producer, Model::Value value) const {
    const auto planned = plan_.activations.find(producer);
    if (planned == plan_.activations.end()) return value;
    ActivationQuantizationHolder holder(make_trainable(planned->second->identifier, planned->second->config));
    if (!planned->second->trainable)
      for (const NamedParameter& variable : holder.parameters()) variable.parameter->set_trainable(false);
    return target.add(std::move(holder), value, holder_name(producer));
  }

  const Model& model_;
  const PlanIndex& plan_;
  std::vector<LayerAnalysis> analysis_;
  std::map<int, int> batch_norm_of_;  // wrapped node → its batch normalisation
  std::set<int> merged_;              // batch normalisations that live on in a wrapper
};

}  // namespace

Model attach_quantizers(const Model& model, const QuantizationPlan& plan) {
  require_no_quantizers(model);
  const Model prepared = prepare_for_quantization(model);
  const PlanIndex index = index_plan(prepared, plan);
  return Attacher(prepared, index).run();
}

}  // namespace bitgrad
