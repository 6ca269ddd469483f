#include <bitgrad/cli/integer_engine.hpp>

#include <algorithm>

namespace bitgrad::cli {

IntegerEngine::IntegerEngine(const InferenceGraph& graph) : graph_(graph), head_(graph) {
  head_.output = graph.integer_input();
  const auto last = std::ranges::find(head_.nodes, head_.output, &GraphNode::output);
  head_.nodes.erase(last + 1, head_.nodes.end());
}

Tensor IntegerEngine::run(const Tensor& images) const {
  const Tensor codes = head_.run_all(images)[static_cast<std::size_t>(head_.output)];
  const Tensor result = graph_.run_integer(codes);
  const std::optional<Grid>& grid = graph_.tensors[static_cast<std::size_t>(graph_.output)].grid;
  return grid ? values_of(result, *grid) : result;
}

}  // namespace bitgrad::cli
