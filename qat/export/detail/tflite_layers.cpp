// Convolutions and dense layers as TFLite.
#include <algorithm>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/bits.hpp>
#include <bitgrad/qat/export/detail/tflite_exporter.hpp>
#include <bitgrad/qat/export/detail/tflite_padding.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::tflite {
namespace {

using flatbuffer::Table;

/// The only quantization that makes (code - zero point) itself the value.
Quantization unit(std::int64_t zero_point = 0) { return {{1.0F}, {zero_point}, 0}; }

bool is_depthwise(const Conv2DGeometry& g) { return g.groups > 1 && g.groups == g.in_c; }

/// Kernels as TFLite has them: output channels first, but [1, kh, kw, out] of a depthwise convolution.
std::vector<std::int32_t> kernel_shape(const Shape& shape, bool depthwise) {
  const auto extent = [&](int axis) { return static_cast<std::int32_t>(shape[axis]); };
  if (shape.rank() == 2) return {extent(1), extent(0)};
  if (depthwise) return {1, extent(0), extent(1), extent(3)};
  return {extent(3), extent(0), extent(1), extent(2)};
}

/// [k, out] to the order of kernel_shape().
std::vector<std::int32_t> kernel_order(const std::vector<std::int32_t>& codes, std::size_t out, bool depthwise) {
  if (depthwise) return codes;
  std::vector<std::int32_t> result;
  result.reserve(codes.size());
  for (std::size_t o = 0; o < out; ++o)
    for (std::size_t at = o; at < codes.size(); at += out) result.push_back(codes[at]);
  return result;
}

io::Bytes as_int8(const std::vector<std::int32_t>& codes) {
  return bytes_of(std::vector<std::int8_t>(codes.begin(), codes.end()));
}

/// Two to a byte, in two's complement.
io::Bytes as_int4(std::vector<std::int32_t> codes) {
  for (std::int32_t& code : codes) code &= 15;
  return bytes_of(pack_bits(codes, 0, 4));
}

}  // namespace

void Exporter::check_multiplier(const GraphNode& node, float multiplier) {
  constexpr float most = 256;
  if (multiplier >= most)
    fail<NotImplementedError>("tflite: \"", node.name, "\" has a multiplier of ", multiplier,
                              "; XNNPACK's operators end at ", most);
}

Exporter::Number Exporter::kernel(const GraphNode& node, const IntegerWeights& weights, bool depthwise,
                                  Arithmetic arithmetic) {
  const Grid& grid = weights.grid;
  const bool scaled = arithmetic == Arithmetic::codes;
  for (const float multiplier : weights.multiplier)
    if (scaled) check_multiplier(node, multiplier);
  const std::vector<std::int32_t> centred = inference::centred_weights(weights);
  const auto [lowest, highest] = std::ranges::minmax(centred);
  const bool is_int8 = lowest >= -128 && highest <= 127;
  if (!is_int8 && grid.bits > 8)
    fail<NotImplementedError>("tflite: the weights of \"", node.name, "\" have ", grid.bits,
                              " bits; TFLite's weights have at most 8");
  if (!is_int8)
    fail<NotImplementedError>("tflite: the weights of \"", node.name, "\" are ", lowest, "..", highest,
                              " steps from their zero points; TFLite's weights are int8 with zero point 0, which ends "
                              "at -128 and 127: quantize them by a symmetric or power-of-two method, or to 7 bits");
  const std::vector<std::int32_t> codes =
      kernel_order(centred, static_cast<std::size_t>(weights.codes.dim(-1)), depthwise);
  const std::vector<std::int32_t> shape = kernel_shape(weights.codes.shape(), depthwise);
  const bool narrow = lowest >= -8 && highest <= 7 && takes_int4(weights, arithmetic);
  Quantization quantization = unit();
  if (scaled)
    quantization = {grid.scale, std::vector<std::int64_t>(grid.scale.size(), 0),
                    depthwise && grid.scale.size() > 1 ? 3 : 0};
  return constant(node.name + "/kernel", narrow ? Type::int4 : Type::int8, shape,
                  narrow ? as_int4(codes) : as_int8(codes), std::move(quantization));
}

/// Kernels that unpack int4 round as those of the mode in fixed point, measured. XNNPACK has only one, for dense layers
/// whose rows are whole bytes; convolutions with int4 weights it leaves to others, which round differently.
bool Exporter::takes_int4(const IntegerWeights& weights, Arithmetic arithmetic) const {
  if (options_.pack > 4) return false;
  const bool is_dense = weights.codes.rank() == 2;
  return arithmetic == Arithmetic::integers || inference::uses_fixed_point(graph_.mode) ||
         (is_dense && weights.codes.dim(0) % 2 == 0);
}

Exporter::Number Exporter::bias(const GraphNode& node, const IntegerWeights& weights) {
  const auto codes = weights.bias.span<std::int32_t>();
  Quantization quantization;
  for (const float scale : weights.grid.scale)
    quantization.scale.push_back(tensor(node.inputs[0]).grid->scale[0] * scale);
  quantization.zero_point.assign(quantization.scale.size(), 0);
  return constant(node.name + "/bias", Type::int32, {static_cast<std::int32_t>(codes.size())},
                  bytes_of(std::vector<std::int32_t>(codes.begin(), codes.end())), std::move(quantization));
}

/// TFLite has no operator from int8 to float32 that keeps the accumulator. Codes whose scale is said to be 1 are
/// integers in float32, whose sums are exact below 2^24.
void Exporter::logits(const GraphNode& node, const IntegerWeights& weights, bool depthwise,
                      const EmitLayer& emit_operator) {
  const GraphTensor &input = tensor(node.inputs[0]), &output = output_of(node);
  const auto bounds = inference::accumulator_bounds(weights, *input.grid);
  const auto bias_codes = weights.bias.span<std::int32_t>();
  for (std::size_t c = 0; c < bounds.size(); ++c)
    if (bounds[c].magnitude() + std::abs(std::int64_t{bias_codes[c]}) >= inference::float32_exact_limit)
      fail<NotImplementedError>("tflite: \"", node.name, "\" has float32 outputs, and the accumulator of channel ", c,
                                " can reach ", bounds[c].magnitude() + std::abs(std::int64_t{bias_codes[c]}),
                                "; float32 holds integers below ", inference::float32_exact_limit,
                                " exactly: quantize its output");
  const std::int64_t zero = stored(*input.grid, input.grid->zero_point[0]);
  std::vector<std::int32_t> any_batch = with_batch(input.shape);
  any_batch[0] = -1;
  const Number codes = add({node.name + "/codes", Type::int8, with_batch(input.shape), true, unit(zero)});
  const Number shape = integers(node.name + "/codes/shape", any_batch, {static_cast<std::int32_t>(any_batch.size())});
  this->node(Operator::reshape, {input_of(node), shape}, codes, Options::reshape);
  const Number x = add({node.name + "/integers", Type::float32, with_batch(input.shape)});
  this->node(Operator::dequantize, {codes}, x);
  const Number w = kernel(node, weights, depthwise, Arithmetic::integers);
  const Number real_kernel =
      add({node.name + "/kernel/integers", Type::float32, model_.tensors[static_cast<std::size_t>(w)].shape, false});
  this->node(Operator::dequantize, {w}, real_kernel);
  const Number real_bias = floats(node.name + "/bias", {bias_codes.begin(), bias_codes.end()});
  const Number sums = add({node.name + "/accumulators", Type::float32, with_batch(output.shape)});
  emit_operator(x, real_kernel, real_bias, sums);
  Table no_activation;
  no_activation.scalar(0, std::int8_t{0});
  this->node(Operator::mul, {sums, floats(node.name + "/multiplier", weights.multiplier)}, number_of(node.output),
             Options::mul, std::move(no_activation));
}

std::int8_t Exporter::padding(const GraphNode& node, const Conv2DGeometry& g, Number& x) {
  const WindowAxis h{g.in_h, (g.k_h - 1) * g.dilation_h + 1, g.stride_h, g.out_h, g.pad_top};
  const WindowAxis w{g.in_w, (g.k_w - 1) * g.dilation_w + 1, g.stride_w, g.out_w, g.pad_left};
  if (const std::optional<std::int8_t> kind = padding_kind(h, w)) return *kind;
  const Padding around = Padding::explicit_(g.pad_top, std::max<Index>(h.total() - g.pad_top, 0), g.pad_left,
                                            std::max<Index>(w.total() - g.pad_left, 0));
  Tensor padded = model_.tensors[static_cast<std::size_t>(x)];
  padded.name = node.name + "/padded";
  padded.shape[1] += static_cast<std::int32_t>(around.top + around.bottom);
  padded.shape[2] += static_cast<std::int32_t>(around.left + around.right);
  x = pad(node, around, x, add(std::move(padded)));
  return padding_valid;
}

void Exporter::convolve(const GraphNode& node, const Conv2DGeometry& g, bool depthwise, Number x, Number w, Number b,
                        Number y) {
  const std::int8_t kind = padding(node, g, x);
  Table options;
  int slot = 0;
  options.scalar(slot++, kind);
  options.scalar(slot++, static_cast<std::int32_t>(g.stride_w));
  options.scalar(slot++, static_cast<std::int32_t>(g.stride_h));
  if (depthwise) options.scalar(slot++, static_cast<std::int32_t>(g.out_c / g.in_c));
  options.scalar(slot++, std::int8_t{0});  // no activation
  options.scalar(slot++, static_cast<std::int32_t>(g.dilation_w));
  options.scalar(slot++, static_cast<std::int32_t>(g.dilation_h));
  this->node(depthwise ? Operator::depthwise_conv_2d : Operator::conv_2d, {x, w, b}, y,
             depthwise ? Options::depthwise_conv_2d : Options::conv_2d, std::move(options));
}

void Exporter::emit(const GraphNode& node, const IntegerConv2D& op) {
  const Conv2DGeometry g =
      conv2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.weights.codes.shape(), op.window);
  const bool depthwise = is_depthwise(g);
  if (g.groups != 1 && !depthwise)
    fail<NotImplementedError>("tflite: convolution \"", node.name, "\" has ", g.groups, " groups of ", g.in_c,
                              " channels; TFLite's int8 operators have one group, or one for every channel");
  const auto emit_operator = [&](Number x, Number w, Number b, Number y) { convolve(node, g, depthwise, x, w, b, y); };
  if (!output_of(node).grid) return logits(node, op.weights, depthwise, emit_operator);
  const Number w = kernel(node, op.weights, depthwise, Arithmetic::codes), b = bias(node, op.weights);
  clamped(node, op.weights.clamp_lo, op.weights.clamp_hi, [&](Number y) { emit_operator(input_of(node), w, b, y); });
}

void Exporter::emit(const GraphNode& node, const IntegerDense& op) {
  const auto multiply = [&](Number x, Number w, Number b, Number y) {
    Table options;
    options.scalar(0, std::int8_t{0});
    this->node(Operator::fully_connected, {x, w, b}, y, Options::fully_connected, std::move(options));
  };
  if (!output_of(node).grid) return logits(node, op.weights, false, multiply);
  const Number w = kernel(node, op.weights, false, Arithmetic::codes), b = bias(node, op.weights);
  clamped(node, op.weights.clamp_lo, op.weights.clamp_hi, [&](Number y) { multiply(input_of(node), w, b, y); });
}

}  // namespace bitgrad::tflite
