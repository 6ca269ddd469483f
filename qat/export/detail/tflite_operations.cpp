// The operations without weights as TFLite.
#include <numeric>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/concat_codes.hpp>
#include <bitgrad/qat/export/detail/tflite_exporter.hpp>
#include <bitgrad/qat/export/detail/tflite_padding.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::tflite {

using flatbuffer::Table;

/// Sums and averages have rules of their own in every kernel of TFLite.
void Exporter::refuse_ort(const GraphNode& node, const char* what) const {
  if (graph_.mode == RequantizationMode::ort)
    fail<NotImplementedError>(
        "tflite: \"", node.name, "\" is ", what,
        ", which no kernel of TFLite rounds as requantization mode ort does; mode xnnpack (bitgrad "
        "export --mode xnnpack) rounds as LiteRT's default kernels, tflite_reference as its "
        "reference kernels");
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

void Exporter::look_up(const std::string& name, int x, const std::vector<std::int32_t>& table, Index channels,
                       Number y) {
  const std::vector<std::int32_t> shape = with_batch(tensor(x).shape);
  const std::int32_t entries = static_cast<std::int32_t>(table.size()) / static_cast<std::int32_t>(channels);
  std::vector<std::int32_t> starts;  // of the table's rows, for codes that count from -128
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(channels); ++c) starts.push_back(c * entries + 128);
  std::vector<std::int8_t> codes;
  for (const std::int32_t code : table) codes.push_back(static_cast<std::int8_t>(code - 128));

  const Number numbers = add({name + "/numbers", Type::int32, shape}),
               places = add({name + "/places", Type::int32, shape});
  Table cast, no_activation, gather;
  cast.scalar(0, static_cast<std::int8_t>(Type::int8));
  cast.scalar(1, static_cast<std::int8_t>(Type::int32));
  this->node(Operator::cast, {number_of(x)}, numbers, Options::cast, std::move(cast));
  no_activation.scalar(0, std::int8_t{0});
  const Number first = integers(name + "/starts", starts, {static_cast<std::int32_t>(starts.size())});
  this->node(Operator::add, {numbers, first}, places, Options::add, std::move(no_activation));
  gather.scalar(0, std::int32_t{0});
  const Number values = constant(name + "/table", Type::int8, {static_cast<std::int32_t>(codes.size())},
                                 bytes_of(codes), model_.tensors[static_cast<std::size_t>(y)].quantization);
  this->node(Operator::gather, {values, places}, y, Options::gather, std::move(gather));
}

Exporter::Number Exporter::on_grid_of(const GraphNode& node, const IntegerConcat& op, int input) {
  const Grid &x = *tensor(input).grid, &y = *output_of(node).grid;
  const std::vector<std::int32_t> table = concat_codes(x, y, op);
  std::vector<std::int32_t> same(table.size());
  std::iota(same.begin(), same.end(), 0);
  const Quantization quantization = model_.tensors[static_cast<std::size_t>(number_of(node.output))].quantization;
  const bool is_there =
      x.scale[0] == y.scale[0] && stored(x, x.zero_point[0]) == stored(y, y.zero_point[0]) && table == same;
  if (is_there) return number_of(input);
  const std::string name = node.name + "/" + tensor(input).name;
  const Number result = add({name, Type::int8, with_batch(tensor(input).shape), true, quantization});
  look_up(name, input, table, 1, result);
  return result;
}

/// TFLite concatenates codes of one grid only, and its Quantize between two grids rounds in ways of its own.
void Exporter::emit(const GraphNode& node, const IntegerConcat& op) {
  std::vector<Number> inputs;
  for (const int input : node.inputs) inputs.push_back(on_grid_of(node, op, input));
  Table options;
  const int axis = normalize_axis(op.axis, output_of(node).shape.rank(), node.name) + 1;  // behind the batch
  options.scalar(0, static_cast<std::int32_t>(axis));
  options.scalar(1, std::int8_t{0});  // no activation
  this->node(Operator::concatenation, std::move(inputs), number_of(node.output), Options::concatenation,
             std::move(options));
}

/// TFLite's AveragePool2D keeps the grid and rounds there. A depthwise convolution by ones goes to another grid at
/// once.
void Exporter::emit(const GraphNode& node, const IntegerAveragePool2D& op) {
  refuse_ort(node, "an average");
  const Grid &x = *tensor(node.inputs[0]).grid, &y = *output_of(node).grid;
  const Shape input = tensor(node.inputs[0]).shape.prepended(1);
  const std::vector<Index> counts = inference::window_pixels(pool2d_geometry(input, op.window, op.stride, op.padding));
  if (counts.size() > 1)
    fail<NotImplementedError>("tflite: pooling \"", node.name, "\" averages windows of ", counts.front(), " to ",
                              counts.back(),
                              " pixels, because padding does not count; a file has one number of pixels "
                              "for all windows: pool without padding");
  const float part = 1.0F / static_cast<float>(counts.front());
  check_multiplier(node, inference::window_multiplier(x, y, counts.front()).real);
  const Conv2DGeometry g =
      conv2d_geometry(input, {op.window.h, op.window.w, 1, input[-1]}, op.stride, op.padding, {}, input[-1]);
  const std::size_t channels = static_cast<std::size_t>(g.in_c);
  const auto narrow = [](Index extent) { return static_cast<std::int32_t>(extent); };
  const std::vector<std::int64_t> zeros(channels, 0);
  const Number ones = constant(node.name + "/ones", Type::int8, {1, narrow(g.k_h), narrow(g.k_w), narrow(g.in_c)},
                               io::Bytes(static_cast<std::size_t>(g.k_h * g.k_w * g.in_c), std::byte{1}),
                               {std::vector<float>(channels, part), zeros, 3});
  const Number bias =
      constant(node.name + "/bias", Type::int32, {narrow(g.in_c)}, bytes_of(std::vector<std::int32_t>(channels, 0)),
               {std::vector<float>(channels, x.scale[0] * part), zeros, 0});
  clamped(node, op.clamp_lo, op.clamp_hi, [&](Number to) { convolve(node, g, true, input_of(node), ones, bias, to); });
}

void Exporter::emit(const GraphNode& node, const IntegerTable& op) {
  std::vector<std::int32_t> table;
  for (const std::int32_t code : op.codes.span<std::int32_t>()) table.push_back(code - output_of(node).grid->lo);
  look_up(node.name, node.inputs[0], table, op.codes.rank() == 2 ? op.codes.dim(0) : 1, number_of(node.output));
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

/// With half-pixel centres, which never meet the middle between two pixels, so that the float32 scale does not matter.
void Exporter::emit(const GraphNode& node, const Upsample2DOp&) {
  const Shape& shape = output_of(node).shape;
  const Number size =
      integers(node.name + "/size", {static_cast<std::int32_t>(shape[0]), static_cast<std::int32_t>(shape[1])}, {2});
  Table options;
  options.scalar(0, std::uint8_t{0});  // corners are not aligned
  options.scalar(1, std::uint8_t{1});
  this->node(Operator::resize_nearest_neighbor, {input_of(node), size}, number_of(node.output),
             Options::resize_nearest_neighbor, std::move(options));
}

/// Pixels are padded to `stride` pixels each, along the width and then, as whole rows, along the height; what is behind
/// the last one is cut off. Pad and Slice move codes, and Pad's zeros have the code of real zero.
void Exporter::emit(const GraphNode& node, const InsertZeros2DOp& op) {
  const auto narrow = [](Index value) { return static_cast<std::int32_t>(value); };
  const Shape &in = tensor(node.inputs[0]).shape, &out = output_of(node).shape;
  const std::int32_t w = narrow(in[1]), c = narrow(in[2]), row = w * narrow(op.stride.w) * c;
  Number x = padded_rows(node.name + "/columns", input_of(node), {narrow(in[0]), w, 1, c}, op.stride.w - 1);
  x = padded_rows(node.name + "/rows", x, {1, narrow(in[0]), 1, row}, op.stride.h - 1);
  const std::vector<std::int32_t> whole{1, narrow(in[0] * op.stride.h), w * narrow(op.stride.w), c};
  x = reshaped(node.name + "/whole", x, whole);
  const Number begin = integers(node.name + "/begin", {0, 0, 0, 0}, {4});
  const Number size = integers(node.name + "/size", {-1, narrow(out[0]), narrow(out[1]), c}, {4});
  this->node(Operator::slice, {x, begin, size}, number_of(node.output), Options::slice);
}

Exporter::Number Exporter::padded_rows(const std::string& name, Number x, std::vector<std::int32_t> shape,
                                       Index zeros) {
  x = reshaped(name, x, shape);
  if (zeros == 0) return x;
  Tensor padded = model_.tensors[static_cast<std::size_t>(x)];
  padded.name = name + "/padded";
  padded.shape[2] += static_cast<std::int32_t>(zeros);
  const Number amounts = integers(name + "/paddings", {0, 0, 0, 0, 0, static_cast<std::int32_t>(zeros), 0, 0}, {4, 2});
  const Number y = add(std::move(padded));
  this->node(Operator::pad, {x, amounts}, y, Options::pad);
  return y;
}

Exporter::Number Exporter::reshaped(const std::string& name, Number x, std::vector<std::int32_t> shape) {
  Tensor result = model_.tensors[static_cast<std::size_t>(x)];
  result.name = name;
  result.shape = shape;
  result.batch = true;
  shape[0] = -1;
  const Number target = integers(name + "/shape", shape, {static_cast<std::int32_t>(shape.size())});
  const Number y = add(std::move(result));
  this->node(Operator::reshape, {x, target}, y, Options::reshape);
  return y;
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
