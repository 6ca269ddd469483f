#include <bitgrad/qat/inference/detail/training_forward.hpp>

#include <algorithm>
#include <cstdlib>

#include <bitgrad/qat/activation_holder.hpp>
#include <bitgrad/qat/quantization_wrapper.hpp>

namespace bitgrad::inference {
namespace {

/// True for nodes whose output is the output of an activation quantizer.
bool quantizes_output(const Layer& layer) {
  if (const auto* holder = dynamic_cast<const ActivationQuantizationHolder*>(&layer)) return holder->quantizes();
  const auto* wrapper = dynamic_cast<const QuantizationWrapper*>(&layer);
  return wrapper && wrapper->dispatcher().is_activation_quantization();
}

int tensor_named(const InferenceGraph& graph, const std::string& name) {
  const auto same = [&](const GraphTensor& tensor) { return tensor.grid && tensor.name == name; };
  const auto found = std::find_if(graph.tensors.begin(), graph.tensors.end(), same);
  return found == graph.tensors.end() ? -1 : static_cast<int>(found - graph.tensors.begin());
}

}  // namespace

TrainingForward::TrainingForward(Model& model, const InferenceGraph& graph) : model_(model), graph_(graph) {
  for (const Model::Node& node : model.nodes()) {
    tensors_.push_back(quantizes_output(*node.layer) ? tensor_named(graph, node.name) : -1);
    if (tensors_.back() >= 0) agreements_.push_back({.tensor = node.name});
  }
}

void TrainingForward::compare(const Tensor& x, const std::vector<Tensor>& values) {
  const Context context{.model = &model_};
  std::vector<Variable> outputs;
  auto agreement = agreements_.begin();
  for (std::size_t n = 0; n < tensors_.size(); ++n) {
    const Model::Node& node = model_.nodes()[n];
    std::vector<Variable> inputs;
    for (const int input : node.inputs)
      inputs.push_back(input < 0 ? Variable(x) : outputs[static_cast<std::size_t>(input)]);
    outputs.push_back(node.layer->forward(inputs, context));
    if (tensors_[n] < 0) continue;
    const std::size_t t = static_cast<std::size_t>(tensors_[n]);
    const Grid& grid = *graph_.tensors[t].grid;
    compare_codes(*agreement++, codes_of(outputs.back().value(), grid, node.name), values[t]);
    outputs.back() = Variable(values_of(values[t], grid));
  }
}

void TrainingForward::compare_codes(LayerAgreement& agreement, const Tensor& found, const Tensor& expected) {
  const auto a = found.span<std::int32_t>(), b = expected.span<std::int32_t>();
  agreement.codes += expected.size();
  for (std::size_t i = 0; i < b.size(); ++i) {
    agreement.differing += a[i] != b[i];
    agreement.largest_step = std::max(agreement.largest_step, std::abs(a[i] - b[i]));
  }
}

}  // namespace bitgrad::inference
