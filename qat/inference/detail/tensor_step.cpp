// Nodes that IntegerProgram leaves to an engine on tensors: what they read and write is converted at the border.
#include <algorithm>

#include <bitgrad/qat/inference/detail/program.hpp>

namespace bitgrad::inference {
namespace {

/// Centred codes as int32, or float32.
Tensor tensor_at(const Slice& slice, const Place& place, const Shape& shape) {
  const DType dtype = place.carrier == Carrier::float32 ? DType::float32 : DType::int32;
  Tensor tensor(shape.prepended(slice.samples), dtype);
  if (place.carrier == Carrier::float32)
    std::copy_n(slice.floats(place), tensor.size(), tensor.data<float>());
  else if (place.carrier == Carrier::int16)
    std::copy_n(slice.at<std::int16_t>(place), tensor.size(), tensor.data<std::int32_t>());
  else
    std::copy_n(slice.at<std::int32_t>(place), tensor.size(), tensor.data<std::int32_t>());
  return tensor;
}

void put(const Tensor& tensor, const Slice& slice, const Place& place) {
  if (place.carrier == Carrier::float32)
    std::ranges::copy(tensor.span<float>(), slice.at<float>(place));
  else if (place.carrier == Carrier::int16)
    std::ranges::transform(tensor.span<std::int32_t>(), slice.at<std::int16_t>(place),
                           [](std::int32_t q) { return static_cast<std::int16_t>(q); });
  else
    std::ranges::copy(tensor.span<std::int32_t>(), slice.at<std::int32_t>(place));
}

}  // namespace

Step tensor_step(const InferenceGraph& graph, const MemoryPlan& plan, std::size_t number,
                 const Engine<std::int32_t>& engine) {
  return [&graph, &plan, &engine, number](const Slice& slice) {
    const GraphNode& node = graph.nodes[number];
    std::vector<Tensor> inputs;
    for (const int input : node.inputs) {
      const std::size_t t = static_cast<std::size_t>(input);
      inputs.push_back(tensor_at(slice, plan.places[t], graph.tensors[t].shape));
    }
    put(engine.run_node(number, inputs, slice.first), slice, plan.places[static_cast<std::size_t>(node.output)]);
  };
}

}  // namespace bitgrad::inference
