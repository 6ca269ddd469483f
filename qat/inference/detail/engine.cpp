#include <bitgrad/qat/inference/detail/engine.hpp>

#include <algorithm>
#include <limits>

#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/im2col.hpp>
#include <bitgrad/core/kernels/integer.hpp>
#include <bitgrad/core/kernels/pool.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/float_operations.hpp>
#include <bitgrad/qat/inference/detail/mode_rules.hpp>
#include <bitgrad/qat/inference/detail/moving.hpp>

namespace bitgrad::inference {
namespace {

/// Whether the layer is a product of its windows and one matrix.
bool is_matrix_product(const GraphOperation& operation) {
  const auto* conv = std::get_if<IntegerConv2D>(&operation);
  return !conv || (conv->window.groups == 1 && conv->window.dilation.h == 1 && conv->window.dilation.w == 1);
}

constexpr Index matrix_elements = Index{1} << 16;  // of an im2col matrix: it stays in the cache

/// Largest code of every window; padding never wins.
Tensor max_pool_codes(const Pool2DGeometry& g, const Tensor& x, const Shape& shape) {
  Tensor y(shape, DType::int32);
  const std::int32_t* from = x.data<std::int32_t>();
  std::int32_t* to = y.data<std::int32_t>();
  for (Index row = 0; row < g.batch * g.out_h; ++row)
    for (Index ow = 0; ow < g.out_w; ++ow, to += g.channels) {
      const Index top = row % g.out_h * g.stride_h - g.pad_top, left = ow * g.stride_w - g.pad_left;
      std::fill_n(to, g.channels, std::numeric_limits<std::int32_t>::min());
      for (Index h = std::max<Index>(top, 0); h < std::min(top + g.k_h, g.in_h); ++h)
        for (Index w = std::max<Index>(left, 0); w < std::min(left + g.k_w, g.in_w); ++w) {
          const std::int32_t* pixel = from + ((row / g.out_h * g.in_h + h) * g.in_w + w) * g.channels;
          for (Index c = 0; c < g.channels; ++c) to[c] = std::max(to[c], pixel[c]);
        }
    }
  return y;
}

Tensor move_codes(const GraphOperation& operation, const GraphTensor& output, std::span<const Tensor> inputs) {
  const Tensor& x = inputs.front();
  const Shape shape = output.shape.prepended(x.dim(0));
  if (const auto* pool = std::get_if<MaxPool2DOp>(&operation))
    return max_pool_codes(pool2d_geometry(x.shape(), pool->window, pool->stride, pool->padding), x, shape);
  if (const auto* pad = std::get_if<Pad2DOp>(&operation)) return pad2d<std::int32_t>(x, pad->padding, shape, 0);
  if (const auto* upsample = std::get_if<Upsample2DOp>(&operation))
    return upsample2d<std::int32_t>(x, upsample->factor, shape);
  if (const auto* zeros = std::get_if<InsertZeros2DOp>(&operation))
    return insert_zeros2d<std::int32_t>(x, zeros->stride, shape, 0);
  if (const auto* choice = std::get_if<WhereOp>(&operation))
    return where<std::int32_t>(choice->mask, inputs[0], inputs[1]);
  return x.reshape(shape);
}

/// A row for every accumulator row.
void repeat(const Tensor& bias, Index rows, std::int32_t* accumulators) {
  const auto row = bias.span<std::int32_t>();
  for (Index r = 0; r < rows; ++r) std::ranges::copy(row, accumulators + r * bias.size());
}

}  // namespace

PreparedLayer::PreparedLayer(const IntegerWeights& weights, const Grid& input, bool float_products)
    : out(weights.codes.dim(-1)), centred(centred_weights(weights)) {
  k = weights.codes.size() / out;
  if (!float_products) return;
  blocks = exact_blocks(centred, k, out, centred_range(input));
  if (!blocks.empty()) centred_float.assign(centred.begin(), centred.end());
}

void PreparedLayer::add_products(Index rows, const float* matrix, std::int32_t* accumulators) const {
  const kernels::Scratch<float> sums(rows * out);
  for (const auto& [begin, end] : blocks) {
    gemm(Transpose::no, Transpose::no, rows, out, end - begin, 1.0F, matrix + begin, k,
         centred_float.data() + begin * out, out, 0.0F, sums.data(), out);
    for (Index i = 0; i < rows * out; ++i) accumulators[i] += static_cast<std::int32_t>(sums.data()[i]);
  }
}

template <class T>
Engine<T>::Engine(const InferenceGraph& graph) : graph_(graph), layers_(graph.nodes.size()) {
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) prepare(n);
}

template <class T>
Engine<T>::Engine(const InferenceGraph& graph, std::span<const std::size_t> nodes)
    : graph_(graph), layers_(graph.nodes.size()) {
  for (const std::size_t n : nodes) prepare(n);
}

template <class T>
void Engine<T>::prepare(std::size_t number) {
  const GraphNode& node = graph_.nodes[number];
  const IntegerWeights* weights = integer_weights(node.operation);
  if (!weights) return;
  const GraphTensor& input = graph_.tensors[static_cast<std::size_t>(node.inputs[0])];
  const bool float_products = std::is_same_v<T, float> && is_matrix_product(node.operation);
  auto layer = std::make_unique<PreparedLayer>(*weights, *input.grid, float_products);
  const std::optional<Grid>& output = graph_.tensors[static_cast<std::size_t>(node.output)].grid;
  if (output && uses_fixed_point(graph_.mode)) layer->fixed = layer_multipliers(*weights, *input.grid, *output);
  const auto* conv = std::get_if<IntegerConv2D>(&node.operation);
  if (conv && layer->blocks.empty())
    layer->convolution.emplace(conv2d_geometry(input.shape.prepended(1), weights->codes.shape(), conv->window),
                               layer->centred.data(), weights->bias.template data<std::int32_t>());
  layers_[number] = std::move(layer);
}

template <class T>
Tensor Engine<T>::run_node(std::size_t number, std::span<const Tensor> inputs, Index sample) const {
  const GraphNode& node = graph_.nodes[number];
  const GraphTensor& output = graph_.tensors[static_cast<std::size_t>(node.output)];
  CodeOperands operands{{}, inputs, output, graph_.mode};
  for (const int input : node.inputs) {
    const std::optional<Grid>& grid = graph_.tensors[static_cast<std::size_t>(input)].grid;
    operands.grids.push_back(grid ? &*grid : nullptr);
  }
  const Tensor& x = inputs.front();
  return std::visit(
      [&]<class Op>(const Op& op) {
        if constexpr (std::is_same_v<Op, IntegerConv2D>)
          return convolve(node, op, *layers_[number], x);
        else if constexpr (std::is_same_v<Op, IntegerDense>)
          return multiply(node, op, *layers_[number], x);
        else if constexpr (std::is_same_v<Op, QuantizeOp>)
          return quantize_values<T>(output, x, sample);
        else if constexpr (std::is_same_v<Op, DequantizeOp>)
          return dequantize_codes<T>(operands.grid(), x);
        else if constexpr (requires { run_code_operation<T>(op, operands); })
          return run_code_operation<T>(op, operands);
        else if (x.dtype() == DType::int32)
          return move_codes(node.operation, output, inputs);
        else
          return run_float(node.operation, output, inputs);
      },
      node.operation);
}

template <class T>
Tensor Engine<T>::convolve(const GraphNode& node, const IntegerConv2D& op, const PreparedLayer& layer,
                           const Tensor& x) const {
  const GraphTensor& output = graph_.tensors[static_cast<std::size_t>(node.output)];
  const Conv2DGeometry g = conv2d_geometry(x.shape(), op.weights.codes.shape(), op.window);
  Tensor y(output_shape(g), output.grid ? dtype_of<T> : DType::float32);
  if (!layer.blocks.empty()) {
    convolve_in_blocks(g, op, layer, x, output, y);
    return y;
  }
  const Tensor integers = x.to(DType::int32);
  const kernels::Scratch<std::int32_t> accumulators(y.size());
  layer.convolution->run(g.batch, integers.data<std::int32_t>(), accumulators.data());
  finish(op.weights, layer, output, y.size() / layer.out, accumulators.data(), 0, y);
  return y;
}

template <class T>
void Engine<T>::convolve_in_blocks(const Conv2DGeometry& g, const IntegerConv2D& op, const PreparedLayer& layer,
                                   const Tensor& x, const GraphTensor& output, Tensor& y) const {
  const float* codes = x.data<float>();
  const bool direct = kernels::is_pointwise(g);
  const Index all_rows = g.batch * g.out_h;
  const Index block = std::clamp<Index>(matrix_elements / (g.out_w * layer.k), 1, std::max<Index>(all_rows, 1));
  const kernels::Scratch<float> matrix(direct ? 1 : block * g.out_w * layer.k);
  const kernels::Scratch<std::int32_t> accumulators(block * g.out_w * layer.out);
  for (Index row = 0; row < all_rows; row += block) {
    const Index end = std::min(row + block, all_rows), pixels = (end - row) * g.out_w;
    if (!direct) kernels::im2col(g, codes, row, end, matrix.data());
    repeat(op.weights.bias, pixels, accumulators.data());
    layer.add_products(pixels, direct ? codes + row * g.out_w * layer.k : matrix.data(), accumulators.data());
    finish(op.weights, layer, output, pixels, accumulators.data(), row * g.out_w * layer.out, y);
  }
}

template <class T>
Tensor Engine<T>::multiply(const GraphNode& node, const IntegerDense& op, const PreparedLayer& layer,
                           const Tensor& x) const {
  const GraphTensor& output = graph_.tensors[static_cast<std::size_t>(node.output)];
  const Index rows = x.dim(0);
  Tensor y({rows, layer.out}, output.grid ? dtype_of<T> : DType::float32);
  const kernels::Scratch<std::int32_t> accumulators(y.size());
  if (layer.blocks.empty()) {
    const Tensor integers = x.to(DType::int32);
    kernels::dense_codes_int32(rows, layer.k, layer.out, integers.data<std::int32_t>(), layer.centred.data(),
                               op.weights.bias.template data<std::int32_t>(), accumulators.data());
  } else {
    repeat(op.weights.bias, rows, accumulators.data());
    layer.add_products(rows, x.data<float>(), accumulators.data());
  }
  finish(op.weights, layer, output, rows, accumulators.data(), 0, y);
  return y;
}

template <class T>
void Engine<T>::finish(const IntegerWeights& weights, const PreparedLayer& layer, const GraphTensor& output, Index rows,
                       const std::int32_t* accumulators, Index at, Tensor& y) const {
  if (output.grid && !layer.fixed.empty())
    requantize_in_fixed_point(weights, *output.grid, rounding_of(graph_.mode, weights), layer.fixed, rows, accumulators,
                              y.data<T>() + at);
  else if (output.grid)
    requantize(weights, *output.grid, rows, accumulators, y.data<T>() + at);
  else
    rescale(weights, rows, accumulators, y.data<float>() + at);
}

template <class T>
Tensor Engine<T>::import_codes(int tensor, const Tensor& codes, Index sample) const {
  Tensor result(codes.shape(), dtype_of<T>);
  inference::import_codes(graph_.tensors[static_cast<std::size_t>(tensor)], codes, sample, result.data<T>());
  return result;
}

template <class T>
void Engine<T>::export_codes(const Grid& grid, const Tensor& codes, std::int32_t* to) {
  inference::export_codes(grid, codes.size(), codes.data<T>(), to);
}

template class Engine<float>;
template class Engine<std::int32_t>;

}  // namespace bitgrad::inference
