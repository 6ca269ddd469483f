// Quantizers and random graphs for the tests of the inference graph.
#pragma once

#include <cmath>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <bitgrad/qat/inference/builder.hpp>

namespace bitgrad::test {

/// A quantizer that is nothing but a grid.
class GridQuantizer : public BaseInferableQuantizer {
 public:
  GridQuantizer(QuantizationTarget target, Grid grid) : target_(target), grid_(std::move(grid)) {}

  std::string_view type() const override { return "GridQuantizer"; }
  const QuantizerMark& marks() const override {
    static constexpr QuantizerMark activation =
        mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::UNIFORM}, "grid");
    static constexpr QuantizerMark weights =
        mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::UNIFORM}, "grid");
    return target_ == QuantizationTarget::Activation ? activation : weights;
  }
  int bits() const override { return grid_.bits; }
  Tensor operator()(const Tensor& x) const override { return values_of(codes_of(x, grid_), grid_); }
  Grid grid() const override { return grid_; }
  std::string describe() const override { return "grid"; }
  std::string to_json() const override { return "{}"; }
  std::unique_ptr<BaseInferableQuantizer> clone() const override { return std::make_unique<GridQuantizer>(*this); }

 private:
  QuantizationTarget target_;
  Grid grid_;
};

inline Grid unsigned_grid(int bits, float scale, std::int32_t zero = 0) {
  return {bits, 0, (1 << bits) - 1, {scale}, {zero}, std::nullopt};
}
inline Grid signed_grid(int bits, float scale) {
  return {bits, -(1 << (bits - 1)), (1 << (bits - 1)) - 1, {scale}, {0}, std::nullopt};
}

inline GridQuantizer activations(const Grid& grid) { return {QuantizationTarget::Activation, grid}; }
inline WeightQuantizers kernel_on(const Grid& grid) {
  return {{"kernel", std::make_shared<GridQuantizer>(QuantizationTarget::Weights, grid)}};
}

inline Tensor floats(const Shape& shape, std::vector<float> values) { return Tensor::from(shape, values); }
inline std::vector<std::int32_t> codes_in(const Tensor& tensor) {
  return {tensor.span<std::int32_t>().begin(), tensor.span<std::int32_t>().end()};
}
inline std::vector<float> values_in(const Tensor& tensor) {
  return {tensor.span<float>().begin(), tensor.span<float>().end()};
}

/// Numbers that are the same everywhere.
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  Index integer(Index low, Index high) {
    return low + static_cast<Index>(engine_() % static_cast<std::uint32_t>(high - low + 1));
  }
  bool chance(int percent) { return integer(1, 100) <= percent; }
  float real(float low, float high) { return low + (high - low) * static_cast<float>(engine_() >> 8) * 0x1p-24F; }
  Tensor tensor(const Shape& shape, float low, float high) {
    Tensor result(shape);
    for (float& value : result.span<float>()) value = real(low, high);
    return result;
  }

 private:
  std::mt19937 engine_;
};

/// One node of each tensor in the graph, by the tensor's name.
inline const GraphNode& node_writing(const InferenceGraph& graph, const std::string& tensor) {
  for (const GraphNode& node : graph.nodes)
    if (graph.tensors[static_cast<std::size_t>(node.output)].name == tensor) return node;
  fail<ValueError>("no node writes \"", tensor, "\" in\n", graph.describe());
}
inline int tensor_number(const InferenceGraph& graph, const std::string& name) {
  for (std::size_t i = 0; i < graph.tensors.size(); ++i)
    if (graph.tensors[i].name == name) return static_cast<int>(i);
  fail<ValueError>("no tensor \"", name, "\" in\n", graph.describe());
}

/// A random network of every integer operation: convolutions with and without bias, batch normalisation and
/// activations, transposed and of sequences, residual additions, concatenations, pools, padding, upsampling, tables and
/// a dense head.
class RandomNetwork {
 public:
  RandomNetwork(unsigned seed, int most_bits) : dice_(seed), most_bits_(most_bits) {}

  InferenceGraph build();

 private:
  Grid activation_grid(float reach);
  Grid weight_grid(const Shape& kernel);
  GraphValue hold(GraphValue x, float reach);
  GraphValue activate(GraphValue x);
  GraphValue convolution(GraphValue x, Index filters, Index kernel, Stride stride, const Padding& padding);
  GraphValue transposed(GraphValue x, Index filters);
  GraphValue sequence(GraphValue x, Index filters);
  GraphValue normalized(GraphValue x, Index filters);
  GraphValue function(GraphValue x, std::size_t which);
  GraphValue head(GraphValue x);
  GraphValue step(GraphValue x);
  void name(const char* stem) { builder_->set_layer_name(message(stem, ++layers_)); }

  Dice dice_;
  int most_bits_;
  int layers_ = 0;
  std::unique_ptr<InferenceGraphBuilder> builder_;
};

inline Grid RandomNetwork::activation_grid(float reach) {
  const int bits = static_cast<int>(dice_.integer(1, most_bits_));
  const float levels = static_cast<float>(1 << bits);
  switch (dice_.integer(0, 3)) {
    case 0: return unsigned_grid(bits, std::exp2(std::round(std::log2(reach / levels))));  // power of two
    case 1: return unsigned_grid(bits, reach / levels);
    case 2: return signed_grid(bits, 2 * reach / levels);
    default:
      return unsigned_grid(bits, 1.5F * reach / levels, static_cast<std::int32_t>(dice_.integer(0, (1 << bits) - 1)));
  }
}

inline Grid RandomNetwork::weight_grid(const Shape& kernel) {
  const int bits = static_cast<int>(dice_.integer(1, std::min(most_bits_, 10)));
  Grid grid = dice_.chance(60) ? signed_grid(bits, 1) : unsigned_grid(bits, 1);
  const bool uniform = grid.lo == 0, power_of_two = !uniform && dice_.chance(40);
  const std::size_t count = dice_.chance(60) ? static_cast<std::size_t>(kernel[-1]) : 1;
  grid.scale.clear();
  grid.zero_point.clear();
  for (std::size_t c = 0; c < count; ++c) {
    const float scale = dice_.real(0.6F, 2.4F) / static_cast<float>(1 << bits);
    grid.scale.push_back(power_of_two ? std::exp2(std::round(std::log2(scale))) : scale);
    grid.zero_point.push_back(uniform ? static_cast<std::int32_t>(dice_.integer(0, grid.hi)) : 0);
  }
  if (count > 1 || dice_.chance(10)) grid.channel_axis = dice_.chance(50) ? -1 : kernel.rank() - 1;
  if (grid.channel_axis && count != static_cast<std::size_t>(kernel[-1])) grid.channel_axis.reset();
  return grid;
}

inline GraphValue RandomNetwork::hold(GraphValue x, float reach) {
  name("hold");
  return builder_->quantize(x, activations(activation_grid(reach)));
}

inline GraphValue RandomNetwork::activate(GraphValue x) {
  switch (dice_.integer(0, 3)) {
    case 0: return builder_->clamp(x, 0.0F, std::numeric_limits<float>::infinity());
    case 1: return builder_->clamp(x, 0.0F, 6.0F);
    case 2: return builder_->clamp(builder_->clamp(x, -0.7F, 3.0F), 0.1F, 8.0F);
    default: return x;
  }
}

inline GraphValue RandomNetwork::convolution(GraphValue x, Index filters, Index kernel, Stride stride,
                                             const Padding& padding) {
  name("conv");
  const Index channels = builder_->shape(x)[2];
  Conv2DArguments window{.stride = stride, .padding = padding};
  if (dice_.chance(40)) window.groups = std::gcd(filters, channels);  // depthwise where that is all channels
  if (dice_.chance(20) && padding.kind == Padding::Kind::same) window.dilation = {2, dice_.integer(1, 3)};
  const Shape shape{kernel, kernel, channels / window.groups, filters};
  const WeightQuantizers quantizers = kernel_on(weight_grid(shape));
  const Tensor bias = dice_.chance(50) ? dice_.tensor({filters}, -1, 1) : Tensor();
  GraphValue y;
  {
    const InferenceGraphBuilder::WeightScope scope(*builder_, quantizers);
    y = builder_->conv2d(x, window, {"kernel", dice_.tensor(shape, -1, 1)}, {"bias", bias});
  }
  return activate(normalized(y, filters));
}

inline GraphValue RandomNetwork::normalized(GraphValue x, Index filters) {
  if (!dice_.chance(50)) return x;
  return builder_->batch_norm(x, dice_.tensor({filters}, 0.1F, 2), dice_.tensor({filters}, -1, 1),
                              dice_.tensor({filters}, -2, 2), dice_.tensor({filters}, 0.1F, 9), 1e-3F);
}

/// A transposed convolution of any padding, kernels smaller than the stride included.
inline GraphValue RandomNetwork::transposed(GraphValue x, Index filters) {
  name("transposed");
  const Shape shape{dice_.integer(1, 3), dice_.integer(1, 3), builder_->shape(x)[2], filters};
  const Index stride = dice_.integer(1, 2);
  Conv2DArguments window{.stride = {stride, 3 - stride}};
  if (dice_.chance(30)) window.dilation = {1, 2};
  if (dice_.chance(60)) window.padding = Padding::same();
  if (dice_.chance(30)) window.padding = Padding::explicit_(0, shape[0] - 1, 0, 0);
  const WeightQuantizers quantizers = kernel_on(weight_grid(shape));
  const Tensor bias = dice_.chance(50) ? dice_.tensor({filters}, -1, 1) : Tensor();
  GraphValue y;
  {
    const InferenceGraphBuilder::WeightScope scope(*builder_, quantizers);
    y = builder_->conv2d_transpose(x, window, {"kernel", dice_.tensor(shape, -1, 1)}, {"bias", bias});
  }
  return activate(normalized(y, filters));
}

/// As Conv1D: rows of the image one behind the other as a sequence, and back.
inline GraphValue RandomNetwork::sequence(GraphValue x, Index filters) {
  const Shape image = builder_->shape(x);
  name("sequence");
  const GraphValue row = builder_->reshape(x, {1, image[0] * image[1], image[2]});
  const Shape shape{1, dice_.integer(1, 4), image[2], filters};
  const WeightQuantizers quantizers = kernel_on(weight_grid(shape));
  GraphValue y;
  {
    const InferenceGraphBuilder::WeightScope scope(*builder_, quantizers);
    y = builder_->conv2d(row, {.padding = Padding::same(), .dilation = {1, dice_.integer(1, 2)}},
                         {"kernel", dice_.tensor(shape, -1, 1)}, {"bias", Tensor()});
  }
  return hold(activate(normalized(builder_->reshape(y, {image[0], image[1], filters}), filters)), 3);
}

inline GraphValue RandomNetwork::step(GraphValue x) {
  const Index h = builder_->shape(x)[0], w = builder_->shape(x)[1], filters = dice_.integer(1, 9);
  switch (dice_.integer(0, h * w > 80 ? 9 : 12)) {  // images that are not small become no larger
    case 0: {
      const Index stride = dice_.integer(1, 2);
      return hold(convolution(x, filters, dice_.integer(1, 3), {stride, 3 - stride}, Padding::same()), 3);
    }
    case 1: {  // residual
      const GraphValue branch = hold(convolution(x, builder_->shape(x)[2], 3, {}, Padding::same()), 2);
      name("add");
      return hold(activate(builder_->add(branch, x)), 4);
    }
    case 2: {
      const GraphValue branches[] = {x, hold(convolution(x, filters, 1, {}, Padding::valid()), 2), x};
      name("concat");
      return hold(activate(builder_->concat(branches, dice_.chance(50) ? 2 : -1)), 3);
    }
    case 3:
      name("max_pool");
      return builder_->max_pool2d(x, {std::min<Index>(h, 3), std::min<Index>(w, 2)}, {1, 2}, Padding::same());
    case 4:
      name("average");
      return hold(activate(builder_->average_pool2d(x, {std::min<Index>(h, 2), std::min<Index>(w, 3)}, {2, 1},
                                                    Padding::same())),
                  1);
    case 5: name("pad"); return builder_->pad2d(x, Padding::explicit_(0, 1, 2, 0));
    case 6: name("function"); return hold(function(activate(x), static_cast<std::size_t>(filters)), 1);
    case 7:  // pooling between convolution and quantizer
      return hold(builder_->max_pool2d(convolution(x, filters, 3, {}, Padding::explicit_(1, 1, 1, 1)), {2, 2}, {1, 1},
                                       Padding::same()),
                  3);
    case 8: return sequence(x, filters);
    case 9: {
      name("normalize");
      const Index channels = builder_->shape(x)[2];
      return hold(builder_->normalize(x, dice_.tensor({channels}, -1, 1), dice_.tensor({channels}, 0.5F, 2)), 3);
    }
    case 10: name("upsample"); return builder_->upsample2d(x, {dice_.integer(1, 3), 2}, Interpolation::nearest);
    case 11:  // between convolution and quantizer
      return hold(builder_->upsample2d(convolution(x, filters, 2, {}, Padding::same()), {2, dice_.integer(1, 2)},
                                       Interpolation::nearest),
                  3);
    default: return hold(transposed(x, filters), 3);
  }
}

inline GraphValue RandomNetwork::function(GraphValue x, std::size_t which) {
  using enum ElementwiseFunction;
  constexpr ElementwiseFunction functions[] = {sigmoid,    ElementwiseFunction::tanh, gelu, hard_sigmoid, hard_swish,
                                               leaky_relu, ElementwiseFunction::pow};
  const ElementwiseFunction chosen = functions[which % std::size(functions)];
  if (chosen == ElementwiseFunction::pow) return builder_->pow(x, 2);
  return chosen == leaky_relu ? builder_->leaky_relu(x, 0.125F) : builder_->elementwise(x, chosen);
}

inline GraphValue RandomNetwork::head(GraphValue x) {
  name("flatten");
  if (dice_.chance(50))
    x = builder_->reshape(x, {builder_->shape(x).size()});
  else
    x = hold(builder_->global_average_pool2d(x), 1);
  for (int i = 0; i < 2; ++i) {
    name("dense");
    const Shape shape{builder_->shape(x)[0], dice_.integer(1, 12)};
    const WeightQuantizers quantizers = kernel_on(weight_grid(shape));
    const InferenceGraphBuilder::WeightScope scope(*builder_, quantizers);
    const GraphValue y =
        builder_->dense(x, {"kernel", dice_.tensor(shape, -1, 1)}, {"bias", dice_.tensor({shape[1]}, -1, 1)});
    if (i == 1) return dice_.chance(70) ? y : hold(y, 4);
    x = hold(activate(y), 3);
  }
  return x;
}

inline InferenceGraph RandomNetwork::build() {
  builder_ =
      std::make_unique<InferenceGraphBuilder>(Shape{dice_.integer(3, 8), dice_.integer(3, 7), dice_.integer(1, 4)});
  GraphValue x = hold(builder_->input(), 1);
  const Index steps = dice_.integer(1, 6);
  for (Index i = 0; i < steps; ++i) x = step(x);
  return builder_->finish(head(x));
}

}  // namespace bitgrad::test
