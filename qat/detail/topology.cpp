#include <bitgrad/qat/detail/topology.hpp>

#include <algorithm>

namespace bitgrad::qat {

Topology::Topology(const Model& model) : model_(model), analysis_(analyse(model)) {
  for (const Model::Node& node : model.nodes()) kernels_.push_back(node.layer->has_weight("kernel"));
}

int Topology::producer(int node) const {
  while (node >= 0 && analysis_[static_cast<std::size_t>(node)].kind == LayerKind::moves_data)
    node = model_.nodes()[static_cast<std::size_t>(node)].inputs.front();
  return node;
}

std::vector<std::size_t> Topology::computed_by(std::size_t node) const {
  std::vector<std::size_t> result{node};
  while (!arithmetic(result.back()) && model_.nodes()[result.back()].inputs.size() == 1) {
    const int before = model_.nodes()[result.back()].inputs.front();
    if (before < 0 || readers(before) != 1) break;
    result.push_back(static_cast<std::size_t>(before));
  }
  return result;
}

int Topology::readers(int node) const {
  int count = model_.output().node == node ? 1 : 0;
  for (const Model::Node& reader : model_.nodes()) count += static_cast<int>(std::ranges::count(reader.inputs, node));
  return count;
}

std::vector<bool> Topology::first() const {
  std::vector<bool> seen(size(), false), result(size(), false);
  for (std::size_t i = 0; i < size(); ++i) {
    const bool before = std::ranges::any_of(
        model_.nodes()[i].inputs, [&](int input) { return input >= 0 && seen[static_cast<std::size_t>(input)]; });
    result[i] = kernels_[i] && !before;
    seen[i] = kernels_[i] || before;
  }
  return result;
}

std::vector<bool> Topology::last() const {
  std::vector<bool> after(size(), false), result(size(), false);
  for (std::size_t i = size(); i-- > 0;) {
    result[i] = kernels_[i] && !after[i];
    for (const int input : model_.nodes()[i].inputs)
      if (input >= 0)
        after[static_cast<std::size_t>(input)] = after[static_cast<std::size_t>(input)] || after[i] || kernels_[i];
  }
  return result;
}

}  // namespace bitgrad::qat
