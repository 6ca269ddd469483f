// Operations on codes: a float operation between DequantizeLinear and QuantizeLinear each, as runtimes expect it.
#include <bitgrad/qat/export/detail/onnx_exporter.hpp>
#include <bitgrad/qat/export/detail/onnx_layout.hpp>

namespace bitgrad::onnx {

void Exporter::emit(const GraphNode& node, const QuantizeOp&) {
  const Grid& grid = *output_of(node).grid;
  quantize({real_of(node.inputs[0]), Type::float32, dims_of(output_of(node).shape)}, node, grid.lo, grid.hi);
}

void Exporter::emit(const GraphNode& node, const DequantizeOp&) {
  std::string& real = reals_[static_cast<std::size_t>(node.output)];
  // Only the graph's output needs a node of its own; everybody else reads the one DequantizeLinear of the source.
  real = node.output == graph_.output ? dequantize(node.inputs[0], output_of(node).name).name : real_of(node.inputs[0]);
}

// ---- linear layers ----

void Exporter::emit(const GraphNode& node, const IntegerConv2D& op) {
  if (!output_of(node).grid) return emit_float_output(node, op);
  const Conv2DGeometry g =
      conv2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.weights.codes.shape(), op.window);
  const std::string x = real_of(node.inputs[0]), w = kernel(node, op.weights), b = bias(node, op.weights);
  quantize(real_result(node, "Conv", {x, w, b}, window_attributes(g)), node, op.weights.clamp_lo, op.weights.clamp_hi);
}

/// Runtimes fuse a convolution only where codes come out of it; left alone they would convolve dequantized floats and
/// round elsewhere. ConvInteger gives the accumulator itself.
void Exporter::emit_float_output(const GraphNode& node, const IntegerConv2D& op) {
  const Conv2DGeometry g =
      conv2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.weights.codes.shape(), op.window);
  StoredWeights stored = this->stored(node, op.weights);
  if (stored.type == Type::int8) {  // the kernel of ONNX Runtime takes uint8 alone
    for (std::int32_t& code : stored.codes) code += 128;
    for (std::int32_t& zero : stored.zero_points) zero += 128;
    stored.type = Type::uint8;
  }
  for (const std::int32_t zero : stored.zero_points)
    if (zero != stored.zero_points[0])
      fail<NotImplementedError>("onnx: convolution \"", node.name,
                                "\" has float32 outputs and kernels with different zero points (",
                                stored.zero_points[0], " and ", zero,
                                "), which ConvInteger does not take in ONNX Runtime; "
                                "quantize its output, or give its kernel one grid (per-tensor) or a symmetric one");
  const std::string codes = stored_codes(node.name + "/kernel", stored);
  const std::string zero_point = builder_.scalar(node.name + "/kernel/zero_point", stored.zero_points[0], Type::uint8);
  const Dims dims = dims_of(output_of(node).shape), channels{g.out_c, 1, 1};
  const auto bias_codes = op.weights.bias.span<std::int32_t>();
  const std::string bias = builder_.initializer(node.name + "/bias/codes", Type::int32, channels,
                                                raw<std::int32_t>(std::vector(bias_codes.begin(), bias_codes.end())));
  const std::string scale = builder_.floats(node.name + "/scale", op.weights.multiplier, channels);
  const Wire products = builder_.add(node.name, "ConvInteger",
                                     {codes_of(node.inputs[0]), codes, grid_of(node.inputs[0]).second, zero_point},
                                     Type::int32, dims, window_attributes(g));
  const Wire sums = builder_.add(node.name, "Add", {products.name, bias}, Type::int32, dims);
  const Wire reals =
      builder_.add(node.name, "Cast", {sums.name}, Type::float32, dims, {{"to", static_cast<Index>(Type::float32)}});
  real_result(node, "Mul", {reals.name, scale});
}

void Exporter::emit(const GraphNode& node, const IntegerDense& op) {
  const std::string x = real_of(node.inputs[0]), w = kernel(node, op.weights), b = bias(node, op.weights);
  const Wire y = real_result(node, "Gemm", {x, w, b},
                             std::vector<Attribute>{{"alpha", 1.0F}, {"beta", 1.0F}, {"transB", Index{1}}});
  if (output_of(node).grid) quantize(y, node, op.weights.clamp_lo, op.weights.clamp_hi);
}

// ---- others ----

void Exporter::emit(const GraphNode& node, const IntegerAdd& op) {
  quantize(real_result(node, "Add", real_inputs(node)), node, op.clamp_lo, op.clamp_hi);
}

void Exporter::emit(const GraphNode& node, const IntegerConcat& op) {
  const Index axis = axis_of(op.axis, output_of(node).shape.rank());
  quantize(real_result(node, "Concat", real_inputs(node), std::vector<Attribute>{{"axis", axis}}), node, op.clamp_lo,
           op.clamp_hi);
}

void Exporter::emit(const GraphNode& node, const IntegerAveragePool2D& op) {
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  std::vector<Attribute> attributes = window_attributes(g);
  attributes.push_back({"count_include_pad", Index{0}});
  quantize(real_result(node, "AveragePool", real_inputs(node), std::move(attributes)), node, op.clamp_lo, op.clamp_hi);
}

void Exporter::emit(const GraphNode& node, const IntegerGlobalAveragePool2D& op) {
  // The pooled image of one pixel is quantized as it is, for the sake of fusion, and flattened behind that.
  const GraphTensor& output = output_of(node);
  const Index channels = output.shape[0];
  const Dims pixel{channels, 1, 1};
  const auto [scale, zero_point] = grid_of(node.output);
  const Wire pooled = builder_.add(node.name, "GlobalAveragePool", real_inputs(node), Type::float32, pixel);
  Wire codes = builder_.add(output.name, "QuantizeLinear", {pooled.name, scale, zero_point}, Type::uint8, pixel,
                            {{"axis", Index{1}}});
  const std::int32_t lo = op.clamp_lo - output.grid->lo, hi = op.clamp_hi - output.grid->lo;
  if (lo != 0 || hi != 255) {
    const std::string low = builder_.scalar(output.name + "/Clip/min", lo, Type::uint8);
    const std::string high = builder_.scalar(output.name + "/Clip/max", hi, Type::uint8);
    codes = builder_.add(output.name, "Clip", {codes.name, low, high}, Type::uint8, pixel);
  }
  const Wire real = builder_.add(output.name, "DequantizeLinear", {codes.name, scale, zero_point}, Type::float32, pixel,
                                 {{"axis", Index{1}}});
  quantize_moved(builder_.add(node.name, "Flatten", {real.name}, Type::float32, {channels}, {{"axis", Index{1}}}),
                 node);
}

void Exporter::emit(const GraphNode& node, const IntegerTable& op) {
  const GraphTensor& output = output_of(node);
  const Dims dims = dims_of(output.shape);
  const auto codes = op.codes.span<std::int32_t>();
  std::vector<std::int32_t> table(codes.begin(), codes.end());
  for (std::int32_t& code : table) code -= output.grid->lo;
  const std::string stored =
      builder_.initializer(node.name + "/table", Type::uint8, {op.codes.size()}, raw_codes(table, Type::uint8));
  Wire position = builder_.add(node.name, "Cast", {codes_of(node.inputs[0])}, Type::int32, dims,
                               {{"to", static_cast<Index>(Type::int32)}});
  if (op.codes.rank() == 2) {  // the tables of all channels one behind the other
    std::vector<std::int32_t> starts;
    for (Index c = 0; c < op.codes.dim(0); ++c) starts.push_back(static_cast<std::int32_t>(c * op.codes.dim(1)));
    Dims shape(dims.size(), 1);
    shape[output.shape.rank() == 3 ? 0 : dims.size() - 1] = op.codes.dim(0);
    const std::string offsets =
        builder_.initializer(node.name + "/starts", Type::int32, shape, raw_codes(starts, Type::int32));
    position = builder_.add(node.name, "Add", {position.name, offsets}, Type::int32, dims);
  }
  builder_.define(codes_of(node.output), node.name, "Gather", {stored, position.name}, Type::uint8, dims,
                  {{"axis", Index{0}}});
}

// ---- operations that move data ----

void Exporter::emit(const GraphNode& node, const MaxPool2DOp& op) {
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  quantize_moved(real_result(node, "MaxPool", real_inputs(node), window_attributes(g)), node);
}

void Exporter::emit(const GraphNode& node, const Pad2DOp& op) {
  const Padding& p = op.padding;
  const std::string pads = builder_.integers(node.name + "/pads", {0, 0, p.top, p.left, 0, 0, p.bottom, p.right});
  const std::string zero = builder_.floats(node.name + "/zero", {0.0F}, {});
  quantize_moved(real_result(node, "Pad", {real_of(node.inputs[0]), pads, zero}), node);
}

/// Image, no region of interest, scales.
std::vector<std::string> Exporter::resize_inputs(const GraphNode& node, const UpsampleFactor& factor) {
  const std::vector<float> scales{1, 1, static_cast<float>(factor.h), static_cast<float>(factor.w)};
  return {real_of(node.inputs[0]), "", builder_.floats(node.name + "/scales", scales, {4})};
}

/// Resize's defaults are nearest, half_pixel and round_prefer_floor: for a whole factor copy r of pixel i lies at
/// i + (r + 1/2) / factor - 1/2, which never reaches the middle between two pixels.
void Exporter::emit(const GraphNode& node, const Upsample2DOp& op) {
  quantize_moved(real_result(node, "Resize", resize_inputs(node, op.factor)), node);
}

/// A transposed convolution of every channel by itself, with kernels of one pixel of 1: x * 1 and 0 are exact, and no
/// runtime has an integer kernel that would round them.
void Exporter::emit(const GraphNode& node, const InsertZeros2DOp& op) {
  const Index channels = output_of(node).shape[2];
  const std::string ones = builder_.floats(
      node.name + "/ones", std::vector<float>(static_cast<std::size_t>(channels), 1.0F), {channels, 1, 1, 1});
  quantize_moved(
      real_result(node, "ConvTranspose", {real_of(node.inputs[0]), ones},
                  std::vector<Attribute>{
                      {"group", channels}, {"kernel_shape", Dims{1, 1}}, {"strides", Dims{op.stride.h, op.stride.w}}}),
      node);
}

/// The mask, in the order of the file, and Where on dequantized values: none of them changes, whatever is chosen.
Wire Exporter::choose(const GraphNode& node, const Tensor& mask) {
  const Shape& shape = mask.shape();
  const Index channels = shape.rank() == 3 ? shape[2] : 1, pixels = mask.size() / channels;
  std::vector<std::uint8_t> bytes;
  for (Index c = 0; c < channels; ++c)
    for (Index p = 0; p < pixels; ++p) bytes.push_back(mask.data<float>()[p * channels + c] != 0);
  const std::string chosen =
      builder_.initializer(node.name + "/mask", Type::boolean, dims_of(shape), raw<std::uint8_t>(bytes));
  return real_result(node, "Where", {chosen, real_of(node.inputs[0]), real_of(node.inputs[1])});
}

void Exporter::emit(const GraphNode& node, const WhereOp& op) { quantize_moved(choose(node, op.mask), node); }

void Exporter::emit(const GraphNode& node, const FloatWhere& op) { choose(node, op.mask); }

/// The graph's elements are in the order of NHWC, so an image is transposed to it and back. Each step between codes has
/// its own QuantizeLinear and DequantizeLinear, which runtimes then drop.
void Exporter::emit(const GraphNode& node, const ReshapeOp&) {
  const GraphTensor &input = tensor(node.inputs[0]), &output = output_of(node);
  const auto is_image = [](const Shape& shape) { return shape.rank() == 3 && shape[2] > 1 && shape[0] * shape[1] > 1; };
  Wire x{real_of(node.inputs[0]), Type::float32, dims_of(input.shape)};
  const auto through_codes = [&](const Wire& real) {
    if (!output.grid) return real;
    const auto [scale, zero_point] = grid_of(node.output);
    const std::vector<Attribute> axis{{"axis", Index{1}}};
    const Wire codes =
        builder_.add(node.name, "QuantizeLinear", {real.name, scale, zero_point}, Type::uint8, real.dims, axis);
    return builder_.add(node.name, "DequantizeLinear", {codes.name, scale, zero_point}, Type::float32, real.dims, axis);
  };
  if (is_image(input.shape)) {
    const Dims nhwc(input.shape.extents().begin(), input.shape.extents().end());
    x = through_codes(
        builder_.add(node.name, "Transpose", {x.name}, Type::float32, nhwc, {{"perm", Dims{0, 2, 3, 1}}}));
  }
  const bool to_image = is_image(output.shape);
  Dims dims = to_image ? Dims(output.shape.extents().begin(), output.shape.extents().end()) : dims_of(output.shape);
  std::vector<Index> target{0};  // the batch as it is
  target.insert(target.end(), dims.begin(), dims.end());
  const std::string shape = builder_.integers(node.name + "/shape", target);
  if (!to_image) return quantize_moved(real_result(node, "Reshape", {x.name, shape}), node);
  x = through_codes(builder_.add(node.name, "Reshape", {x.name, shape}, Type::float32, std::move(dims)));
  quantize_moved(real_result(node, "Transpose", {x.name}, std::vector<Attribute>{{"perm", Dims{0, 3, 1, 2}}}), node);
}

}  // namespace bitgrad::onnx
