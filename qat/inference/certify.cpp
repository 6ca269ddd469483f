#include <bitgrad/qat/inference/verify.hpp>

#include <algorithm>

#include <bitgrad/qat/inference/detail/accumulator.hpp>

namespace bitgrad {

LayerCertificate certify(const InferenceGraph& graph, const GraphNode& node) {
  using namespace inference;
  const IntegerWeights* weights = integer_weights(node.operation);
  if (!weights)
    fail<ValueError>("certify: node \"", node.name, "\" (", name_of(node.operation), ") has no integer weights");
  const Grid& grid = *graph.tensors[static_cast<std::size_t>(node.inputs[0])].grid;
  const std::vector<ChannelBounds> bounds = accumulator_bounds(*weights, grid);
  const auto bias = weights->bias.span<std::int32_t>();

  LayerCertificate result{.layer = node.name, .int32_safe = true, .float32_exact = true, .attaining_input = {}};
  bool upwards = true;
  for (std::size_t c = 0; c < bounds.size(); ++c) {
    result.int32_safe = result.int32_safe && fits_int32(bounds[c], bias[c]);
    result.float32_exact = result.float32_exact && bounds[c].magnitude() < float32_exact_limit;
    const std::int64_t up = bounds[c].highest + bias[c], down = -(bounds[c].lowest + bias[c]);
    if (c > 0 && std::max(up, down) <= result.worst_accumulator) continue;
    result.worst_accumulator = std::max(up, down);
    result.channel = static_cast<Index>(c);
    upwards = up >= down;
  }
  // The extreme of a sum of products: every input at the end of its range that its weight asks for.
  const std::vector<std::int32_t> centred = centred_weights(*weights);
  for (std::size_t i = static_cast<std::size_t>(result.channel); i < centred.size(); i += bounds.size())
    result.attaining_input.push_back((centred[i] > 0) == upwards ? grid.hi : grid.lo);
  return result;
}

}  // namespace bitgrad
