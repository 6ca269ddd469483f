// Saving and loading of a model's parameters and buffers.
#include <algorithm>

#include <bitgrad/layers/model.hpp>

namespace bitgrad {
namespace {

/// Where every named tensor of the model lives; the handles share its elements.
std::vector<NamedBuffer> targets(const Model& model) {
  std::vector<NamedBuffer> result;
  for (const auto& [name, parameter] : model.parameters()) result.push_back({name, parameter->value()});
  for (auto& buffer : model.buffers()) result.push_back(std::move(buffer));
  return result;
}

/// "\n  missing: a, b", nothing when the list is empty.
std::string listed(std::string_view what, const std::vector<std::string>& names) {
  std::string result;
  for (const std::string& name : names) result += (result.empty() ? message("\n  ", what, ": ") : ", ") + name;
  return result;
}

}  // namespace

NamedTensors Model::state_dict() const {
  require_built("Model::state_dict");
  NamedTensors result;
  for (const auto& [name, value] : targets(*this)) result.add(name, value.clone());
  return result;
}

LoadReport Model::load_state_dict(const NamedTensors& state, LoadMode mode) {
  require_built("Model::load_state_dict");
  LoadReport report;
  std::vector<std::string> misshapen;
  std::vector<std::pair<Tensor, const Tensor*>> copies;
  std::vector<NamedBuffer> mine = targets(*this);
  for (auto& [name, target] : mine) {
    const Tensor* source = state.find(name);
    if (!source)
      report.missing.push_back(name);
    else if (source->shape() != target.shape() || source->dtype() != target.dtype())
      misshapen.push_back(message(name, " is ", source->dtype(), " ", source->shape(), ", expected ", target.dtype(),
                                  " ", target.shape()));
    else
      copies.emplace_back(target, source);
  }
  for (const auto& [name, tensor] : state)
    if (std::ranges::find(mine, name, &NamedBuffer::name) == mine.end()) report.unexpected.push_back(name);

  const std::string text = message("Model::load_state_dict: the state does not fit the model, nothing was loaded",
                                   listed("missing", report.missing), listed("unexpected", report.unexpected),
                                   listed("wrong shape", misshapen));
  if (!misshapen.empty()) fail<ShapeError>(text);
  if (mode == LoadMode::complete && !(report.missing.empty() && report.unexpected.empty())) fail<ValueError>(text);
  for (auto& [target, source] : copies) target.copy_from(*source);
  return report;
}

}  // namespace bitgrad
