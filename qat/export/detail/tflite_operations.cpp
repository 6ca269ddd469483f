// The operations without weights as TFLite.
#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/tflite_exporter.hpp>
#include <bitgrad/qat/export/detail/tflite_padding.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::tflite {

using flatbuffer::Table;

/// Sums and averages have rules of their own in every kernel of TFLite.
void Exporter::refuse_ort(const GraphNode& node, const char* what) const {
  if (graph_.mode == RequantizationMode::ort)
    fail<NotImplementedError>("tflite: \"", node.name, "\" is ", what,
                              ", which no kernel of TFLite rounds as requantization \"ort\"; \"xnnpack\" rounds as "
                              "LiteRT's default kernels, \"tflite_reference\" as its reference kernels");
}

void Exporter::emit(const GraphNode& node, const IntegerAdd& op) {
  refuse_ort(node, "a sum");
  clamped(node, op.clamp_lo, op.clamp_hi, [&](Number y) {
    Table no_activation;
    no_activation.scalar(0, std::int8_t{0});
    const Number a = number_of(node.inputs[0]), b = number_of(node.inputs[1]);
    this->node(Operator::add, {a, b}, y, Options::add, std::move(no_activation));
  });
}

void Exporter::emit(const GraphNode& node, const IntegerGlobalAveragePool2D& op) {
  refuse_ort(node, "a global average");
  const Number axes = integers(node.name + "/axes", {1, 2}, {2});
  clamped(node, op.clamp_lo, op.clamp_hi, [&](Number y) {
    Table options;
    options.scalar(0, std::uint8_t{0});  // the axes go
    this->node(Operator::mean, {input_of(node), axes}, y, Options::reducer, std::move(options));
  });
}

void Exporter::emit(const GraphNode& node, const QuantizeOp&) {
  const Grid& grid = *output_of(node).grid;
  clamped(node, grid.lo, grid.hi, [&](Number y) { this->node(Operator::quantize, {input_of(node)}, y); });
}

void Exporter::emit(const GraphNode& node, const DequantizeOp&) {
  this->node(Operator::dequantize, {input_of(node)}, number_of(node.output));
}

void Exporter::emit(const GraphNode& node, const MaxPool2DOp& op) {
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  const std::optional<std::int8_t> kind =
      padding_kind({g.in_h, g.k_h, g.stride_h, g.out_h, g.pad_top}, {g.in_w, g.k_w, g.stride_w, g.out_w, g.pad_left});
  if (!kind)
    fail<NotImplementedError>("tflite: pooling \"", node.name, "\" has padding ", g.pad_top, " at the top and ",
                              g.pad_left, " on the left, which is neither SAME nor VALID; TFLite has no other");
  Table options;
  options.scalar(0, *kind);
  options.scalar(1, static_cast<std::int32_t>(g.stride_w));
  options.scalar(2, static_cast<std::int32_t>(g.stride_h));
  options.scalar(3, static_cast<std::int32_t>(g.k_w));
  options.scalar(4, static_cast<std::int32_t>(g.k_h));
  this->node(Operator::max_pool_2d, {input_of(node)}, number_of(node.output), Options::pool_2d, std::move(options));
}

void Exporter::emit(const GraphNode& node, const ReshapeOp&) {
  std::vector<std::int32_t> shape = with_batch(output_of(node).shape);
  shape[0] = -1;
  const Number target = integers(node.name + "/shape", shape, {static_cast<std::int32_t>(shape.size())});
  this->node(Operator::reshape, {input_of(node), target}, number_of(node.output), Options::reshape);
}

void Exporter::emit(const GraphNode& node, const Pad2DOp& op) {
  pad(node, op.padding, input_of(node), number_of(node.output));
}

void Exporter::emit(const GraphNode& node, const FloatSoftmax& op) {
  if (op.logarithm)
    fail<NotImplementedError>("tflite: \"", node.name, "\" is a log-softmax, which the exporter does not write");
  Table options;
  options.scalar(0, 1.0F);  // beta
  this->node(Operator::softmax, {input_of(node)}, number_of(node.output), Options::softmax, std::move(options));
}

Exporter::Number Exporter::pad(const GraphNode& node, const Padding& padding, Number x, Number y) {
  const auto narrow = [](Index value) { return static_cast<std::int32_t>(value); };
  const Number amounts = integers(
      node.name + "/paddings",
      {0, 0, narrow(padding.top), narrow(padding.bottom), narrow(padding.left), narrow(padding.right), 0, 0}, {4, 2});
  this->node(Operator::pad, {x, amounts}, y, Options::pad);
  return y;
}

}  // namespace bitgrad::tflite
