#include <bitgrad/qat/export/detail/tflite_model.hpp>

#include <algorithm>
#include <limits>

#include <bitgrad/core/error.hpp>

namespace bitgrad::tflite {
namespace {

using flatbuffer::Table;

constexpr std::size_t buffer_alignment = 16;  // force_align of Buffer.data

/// Whether such an operator of the model reads weights of 4 bits.
bool reads_int4(const Model& model, Operator code) {
  const auto is_int4 = [&](std::int32_t t) { return model.tensors[static_cast<std::size_t>(t)].type == Type::int4; };
  return std::ranges::any_of(
      model.nodes, [&](const Node& node) { return node.code == code && std::ranges::any_of(node.inputs, is_int4); });
}

/// The version of an operator that takes int8, or int4 weights, as old as it gets.
std::int32_t version_of(const Model& model, Operator code) {
  if (reads_int4(model, code)) switch (code) {
      case Operator::fully_connected: return 10;
      case Operator::dequantize:
      case Operator::depthwise_conv_2d: return 6;  // as LiteRT's reference kernels are registered
      default: return 7;                           // Conv2D
    }
  switch (code) {
    case Operator::conv_2d:
    case Operator::depthwise_conv_2d: return 3;
    case Operator::fully_connected: return 4;
    case Operator::add:
    case Operator::max_pool_2d:
    case Operator::pad:
    case Operator::concatenation:
    case Operator::gather:
    case Operator::mean:
    case Operator::maximum:
    case Operator::minimum:
    case Operator::slice:
    case Operator::resize_nearest_neighbor:
    case Operator::dequantize: return 2;
    default: return 1;
  }
}

Table operator_code(const Model& model, Operator code) {
  Table table;
  table.scalar(0, static_cast<std::int8_t>(code));  // for readers of before the field below; all are under 127
  table.scalar(2, version_of(model, code));
  table.scalar(3, static_cast<std::int32_t>(code));
  return table;
}

Table quantization(const Quantization& quantization) {
  Table table;
  table.numbers(2, quantization.scale);
  table.numbers(3, quantization.zero_point);
  table.scalar(6, static_cast<std::int32_t>(quantization.axis));
  return table;
}

Table buffer(const io::Bytes& data) {
  Table table;
  if (!data.empty()) table.raw(0, data, buffer_alignment);
  return table;
}

/// Buffer 0 is the empty one of everything that is computed.
Table tensor(const Tensor& tensor, std::vector<Table>& buffers) {
  Table table;
  table.numbers(0, tensor.shape);
  table.scalar(1, static_cast<std::int8_t>(tensor.type));
  table.scalar(2, static_cast<std::uint32_t>(tensor.data.empty() ? 0 : buffers.size()));
  if (!tensor.data.empty()) buffers.push_back(buffer(tensor.data));
  table.text(3, tensor.name);
  if (!tensor.quantization.scale.empty()) table.table(4, quantization(tensor.quantization));
  if (tensor.batch) {
    std::vector<std::int32_t> signature = tensor.shape;
    signature[0] = -1;
    table.numbers(7, signature);
  }
  return table;
}

Table node(const Node& node, const std::vector<Operator>& codes) {
  Table table;
  table.scalar(0, static_cast<std::uint32_t>(std::ranges::find(codes, node.code) - codes.begin()));
  table.numbers(1, node.inputs);
  table.numbers(2, std::vector{node.output});
  if (node.options_type == Options::none) return table;
  table.scalar(3, static_cast<std::uint8_t>(node.options_type));
  table.table(4, node.options);
  return table;
}

std::vector<Operator> codes_of(const Model& model) {
  std::vector<Operator> codes;
  for (const Node& each : model.nodes)
    if (std::ranges::find(codes, each.code) == codes.end()) codes.push_back(each.code);
  return codes;
}

Table subgraph(const Model& model, const std::vector<Operator>& codes, std::vector<Table>& buffers) {
  std::vector<Table> tensors, nodes;
  for (const Tensor& each : model.tensors) tensors.push_back(tensor(each, buffers));
  for (const Node& each : model.nodes) nodes.push_back(node(each, codes));
  Table table;
  table.tables(0, std::move(tensors));
  table.numbers(1, std::vector{model.input});
  table.numbers(2, model.outputs);
  table.tables(3, std::move(nodes));
  table.text(4, model.name);
  return table;
}

}  // namespace

io::Bytes serialize(const Model& model) {
  std::size_t constants = 0;
  for (const Tensor& each : model.tensors) constants += each.data.size();
  if (constants > std::numeric_limits<std::int32_t>::max() / 2)
    fail<NotImplementedError>("tflite: the model has ", constants, " bytes of constants, a file ends at 2 GiB");
  const std::vector<Operator> codes = codes_of(model);
  std::vector<Table> operators, buffers(1), metadata, subgraphs;
  for (const Operator code : codes) operators.push_back(operator_code(model, code));
  subgraphs.push_back(subgraph(model, codes, buffers));
  for (const auto& [key, value] : model.metadata) {
    const auto text = std::as_bytes(std::span(value));
    Table entry;
    entry.text(0, key);
    entry.scalar(1, static_cast<std::uint32_t>(buffers.size()));
    metadata.push_back(std::move(entry));
    buffers.push_back(buffer({text.begin(), text.end()}));
  }
  Table root;
  root.scalar(0, std::uint32_t{3});
  root.tables(1, std::move(operators));
  root.tables(2, std::move(subgraphs));
  root.text(3, model.description);
  root.tables(4, std::move(buffers));
  root.tables(6, std::move(metadata));
  return flatbuffer::serialize(root, "TFL3");
}

}  // namespace bitgrad::tflite
