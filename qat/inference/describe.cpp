// InferenceGraph for people: describe(), and what it costs.
#include <bitgrad/qat/inference/graph.hpp>

#include <algorithm>

#include <bitgrad/qat/inference/cost.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>

namespace bitgrad {
namespace {

std::size_t bytes_of(const IntegerWeights& weights) {
  return static_cast<std::size_t>(packed_bytes(weights.codes.size(), weights.grid.bits, weights.bias.size(),
                                               static_cast<std::int64_t>(weights.grid.scale.size())));
}

std::size_t bytes_of(const Tensor& tensor) { return tensor.defined() ? tensor.byte_size() : 0; }

std::string describe_tensor(const GraphTensor& tensor) {
  std::ostringstream out;
  out << '"' << tensor.name << "\" " << tensor.shape;
  if (tensor.grid)
    out << (tensor.grid->is_signed() ? " int" : " uint") << tensor.grid->bits << " scale " << tensor.grid->scale[0]
        << " zero " << tensor.grid->zero_point[0];
  else
    out << " float32";
  return out.str();
}

/// The positions that a kernel is multiplied at; see LayerCost::macs.
std::int64_t positions(const InferenceGraph& graph, const GraphNode& node) {
  int tensor = node.output;
  for (const GraphNode& before : graph.nodes)
    if (std::holds_alternative<InsertZeros2DOp>(before.operation) && before.output == node.inputs.front())
      tensor = before.inputs.front();
  const Shape& shape = graph.tensors[static_cast<std::size_t>(tensor)].shape;
  return shape.size() / shape[-1];
}

}  // namespace

std::int64_t packed_bytes(std::int64_t codes, int bits, std::int64_t biases, std::int64_t scales) {
  return (codes * bits + 7) / 8 + 4 * biases + 4 * scales;
}

std::size_t weight_bytes(const GraphNode& node) {
  if (const IntegerWeights* weights = inference::integer_weights(node.operation)) return bytes_of(*weights);
  if (const auto* conv = std::get_if<FloatConv2D>(&node.operation))
    return bytes_of(conv->kernel) + bytes_of(conv->bias);
  if (const auto* dense = std::get_if<FloatDense>(&node.operation))
    return bytes_of(dense->kernel) + bytes_of(dense->bias);
  if (const auto* bn = std::get_if<FloatBatchNorm>(&node.operation)) return bytes_of(bn->gain) + bytes_of(bn->offset);
  if (const auto* norm = std::get_if<FloatLayerNorm>(&node.operation))
    return bytes_of(norm->gamma) + bytes_of(norm->beta);
  return 0;
}

bool InferenceGraph::has_codes() const {
  return std::ranges::any_of(tensors, [](const GraphTensor& tensor) { return tensor.grid.has_value(); });
}

std::size_t InferenceGraph::weight_bytes() const {
  std::size_t total = 0;
  for (const GraphNode& node : nodes) total += bitgrad::weight_bytes(node);
  return total;
}

std::vector<LayerCost> layer_costs(const InferenceGraph& graph) {
  std::vector<LayerCost> costs;
  for (const GraphNode& node : graph.nodes) {
    const Tensor *kernel = nullptr, *bias = nullptr;
    int bits = 32;
    if (const IntegerWeights* weights = inference::integer_weights(node.operation)) {
      kernel = &weights->codes;
      bias = &weights->bias;
      bits = weights->grid.bits;
    }
    if (const auto* conv = std::get_if<FloatConv2D>(&node.operation)) kernel = &conv->kernel, bias = &conv->bias;
    if (const auto* dense = std::get_if<FloatDense>(&node.operation)) kernel = &dense->kernel, bias = &dense->bias;
    if (!kernel) continue;
    const GraphTensor& output = graph.tensors[static_cast<std::size_t>(node.output)];
    costs.push_back({.layer = node.name,
                     .operation = std::string(name_of(node.operation)),
                     .output_shape = output.shape,
                     .weight_bits = bits,
                     .output_bits = output.grid ? output.grid->bits : 32,
                     .parameters = kernel->size(),
                     .biases = bias->defined() ? bias->size() : 0,
                     .macs = positions(graph, node) * kernel->size(),
                     .bytes = static_cast<std::int64_t>(weight_bytes(node))});
  }
  return costs;
}

std::string InferenceGraph::describe() const {
  std::ostringstream out;
  const auto tensor = [&](int t) -> const GraphTensor& { return tensors[static_cast<std::size_t>(t)]; };
  out << "input " << describe_tensor(tensor(input)) << '\n';
  for (const GraphNode& node : nodes) {
    out << node.name << ": " << name_of(node.operation);
    if (const IntegerWeights* weights = inference::integer_weights(node.operation))
      out << " weights " << weights->codes.shape() << ' ' << weights->grid.bits << " bits";
    if (const auto* conv = std::get_if<IntegerConv2D>(&node.operation); conv && conv->window.groups != 1)
      out << ' ' << conv->window.groups << " groups";
    if (const auto* table = std::get_if<IntegerTable>(&node.operation)) out << ' ' << table->function;
    const char* separator = " (";
    for (const int i : node.inputs) {
      out << separator << '"' << tensor(i).name << '"';
      separator = ", ";
    }
    out << ") -> " << describe_tensor(tensor(node.output)) << '\n';
  }
  out << "output \"" << tensor(output).name << "\"\n";
  return out.str();
}

}  // namespace bitgrad
