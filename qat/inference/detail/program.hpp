// A graph made ready to be run often: the integer engine.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <bitgrad/qat/inference/detail/engine.hpp>
#include <bitgrad/qat/inference/detail/execution.hpp>
#include <bitgrad/qat/inference/detail/memory_plan.hpp>

namespace bitgrad::inference {

/// What a node does to the tensors of a slice.
using Step = std::function<void(const Slice&)>;

/// The step of a node between codes that ride as int16, its weights packed; an empty one where this has no loops for
/// the node: other carriers, float32 operations, windowed averages, repeated pixels and zeros between pixels, sums and
/// averages in modes other than ort.
Step int16_step(const InferenceGraph& graph, const MemoryPlan& plan, std::size_t node);
/// The step of any node, by an engine on tensors that was made for it.
Step tensor_step(const InferenceGraph& graph, const MemoryPlan& plan, std::size_t node,
                 const Engine<std::int32_t>& engine);

/// Integers throughout: codes as int16 wherever their ranges allow. All weights are packed when it is made; a slice of
/// samples runs in one buffer of the pool, cut up by the memory plan. The graph must outlive it.
class IntegerProgram {
 public:
  explicit IntegerProgram(const InferenceGraph& graph);

  /// x [batch, ...]: float32 where the execution starts at the graph's input, codes as int32 elsewhere. As execute().
  /// Results do not depend on how the batch is cut.
  std::vector<Tensor> run(const Execution& execution, const Tensor& x, bool all) const;

 private:
  Index slice_for(Index batch) const;
  void load(const Execution& execution, const Tensor& x, const Slice& slice) const;
  void store(int tensor, const Slice& slice, Tensor& result) const;

  const InferenceGraph& graph_;
  MemoryPlan plan_;
  std::unique_ptr<const Engine<std::int32_t>> rest_;  // for nodes without an int16 step
  std::vector<Step> steps_;                           // by node number
};

}  // namespace bitgrad::inference
