#include <bitgrad/qat/inference/detail/memory_plan.hpp>

#include <algorithm>
#include <limits>

#include <bitgrad/core/memory.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>

namespace bitgrad::inference {
namespace {

std::size_t bytes_of(const Place& place) {
  const std::size_t element = place.carrier == Carrier::int16 ? sizeof(std::int16_t) : sizeof(float);
  const std::size_t bytes = static_cast<std::size_t>(place.elements) * element;
  return (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
}

/// Memory in use while nodes are walked through in order.
class Blocks {
 public:
  /// The lowest place for that many bytes, kept until after node `last`.
  std::size_t take(std::size_t bytes, std::size_t last) {
    std::size_t begin = 0;
    auto next = blocks_.begin();  // in the order of their places
    for (; next != blocks_.end() && next->begin < begin + bytes; ++next) begin = std::max(begin, next->end);
    blocks_.insert(next, {begin, begin + bytes, last});
    end_ = std::max(end_, begin + bytes);
    return begin;
  }
  /// Forgets what nobody reads from `node` on.
  void release_before(std::size_t node) {
    std::erase_if(blocks_, [&](const Block& block) { return block.last < node; });
  }
  std::size_t end() const { return end_; }

 private:
  struct Block {
    std::size_t begin, end, last;
  };
  std::vector<Block> blocks_;
  std::size_t end_ = 0;
};

/// By tensor number: the tensor whose memory it is in, itself unless it was reshaped.
std::vector<int> owners_of(const InferenceGraph& graph) {
  std::vector<int> owners(graph.tensors.size());
  for (std::size_t t = 0; t < owners.size(); ++t) owners[t] = static_cast<int>(t);
  for (const GraphNode& node : graph.nodes)
    if (std::holds_alternative<ReshapeOp>(node.operation))
      owners[static_cast<std::size_t>(node.output)] = owners[static_cast<std::size_t>(node.inputs[0])];
  return owners;
}

}  // namespace

Carrier carrier_of(const GraphTensor& tensor) {
  if (!tensor.grid) return Carrier::float32;
  const CentredRange range = centred_range(*tensor.grid);
  constexpr std::int64_t most = std::numeric_limits<std::int16_t>::max();  // no -32768: Int16Conv2D
  return range.lo >= -most && range.hi <= most ? Carrier::int16 : Carrier::int32;
}

MemoryPlan::MemoryPlan(const InferenceGraph& graph) : places(graph.tensors.size()) {
  const std::vector<int> owners = owners_of(graph);
  const auto owner = [&](int tensor) { return static_cast<std::size_t>(owners[static_cast<std::size_t>(tensor)]); };
  std::vector<std::size_t> last(graph.tensors.size(), 0);  // node that needs the memory of a tensor
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    last[owner(graph.nodes[n].output)] = n;
    for (const int input : graph.nodes[n].inputs) last[owner(input)] = n;
  }
  Blocks blocks;
  const auto place = [&](int tensor) {
    const GraphTensor& from = graph.tensors[static_cast<std::size_t>(tensor)];
    Place& to = places[static_cast<std::size_t>(tensor)];
    to = {carrier_of(from), from.shape.size(), places[owner(tensor)].offset, places[owner(tensor)].is_input};
    if (owner(tensor) != static_cast<std::size_t>(tensor)) return;
    to.is_input = tensor == graph.input && to.carrier == Carrier::float32;
    if (!to.is_input) to.offset = blocks.take(bytes_of(to), last[owner(tensor)]);
  };
  place(graph.input);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    blocks.release_before(n);
    place(graph.nodes[n].output);
  }
  sample_bytes = blocks.end();
}

}  // namespace bitgrad::inference
