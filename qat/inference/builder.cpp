#include <bitgrad/qat/inference/builder.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <bitgrad/qat/inference/detail/recorded.hpp>

namespace bitgrad {

using namespace inference;

namespace {

/// A kernel [kh, kw, in, out] turned by 180 degrees.
template <class T>
Tensor turned(const Tensor& kernel) {
  Tensor result(kernel.shape(), kernel.dtype());
  const Index pixels = kernel.dim(0) * kernel.dim(1), channels = kernel.dim(2) * kernel.dim(3);
  for (Index p = 0; p < pixels; ++p)
    std::copy_n(kernel.data<T>() + (pixels - 1 - p) * channels, channels, result.data<T>() + p * channels);
  return result;
}

}  // namespace

struct InferenceGraphBuilder::Impl {
  std::vector<RecordedValue> values;
  std::string layer;
  struct Scope {
    const WeightQuantizers* quantizers;
    const Layer* quantized;      ///< or nullptr
    std::set<std::string> used;  ///< weights that were asked for
  };
  std::vector<Scope> scopes;  ///< the last is in effect
  std::string unused;         ///< complaint about a finished scope

  const RecordedValue& at(GraphValue value) const {
    if (value.index < 0 || static_cast<std::size_t>(value.index) >= values.size())
      fail<ValueError>("graph builder: value ", value.index, " does not exist; there are ", values.size());
    return values[static_cast<std::size_t>(value.index)];
  }
  Shape batch_of(GraphValue value) const { return at(value).shape.prepended(1); }

  GraphValue record(RecordedOperation operation, std::vector<GraphValue> inputs, const Shape& shape) {
    RecordedValue value{std::move(operation), {}, shape, layer};
    for (const GraphValue input : inputs) value.inputs.push_back(input.index);
    values.push_back(std::move(value));
    return {static_cast<int>(values.size()) - 1};
  }
  /// A value of its input's shape.
  GraphValue record_same(RecordedOperation operation, GraphValue x) {
    const Shape shape = at(x).shape;
    return record(std::move(operation), {x}, shape);
  }

  /// The quantizer of a weight, or nullptr.
  const BaseInferableQuantizer* quantizer_of(const GraphWeight& weight) {
    if (scopes.empty()) return nullptr;
    Scope& scope = scopes.back();
    const auto found = scope.quantizers->find(weight.name);
    if (found == scope.quantizers->end()) return nullptr;
    if (scope.quantized &&
        !(weight.value.defined() && identical(weight.value, scope.quantized->weight(weight.name)->value())))
      return nullptr;
    scope.used.insert(found->first);
    if (!found->second)
      fail<ValueError>("layer \"", layer, "\": the quantizer of weight \"", weight.name, "\" is null");
    return found->second.get();
  }

  /// What a quantizer says, with the layer's name in front of what it complains of.
  template <class Ask>
  auto in_layer(std::string_view weight, Ask ask) const {
    const auto place = [&] { return message("layer \"", layer, "\": ", weight, weight.empty() ? "" : ": "); };
    try {
      return ask();
    } catch (const ValueError& error) {
      fail<ValueError>(place(), error.what());
    } catch (const ShapeError& error) {
      fail<ShapeError>(place(), error.what());
    } catch (const NotImplementedError& error) {
      fail<NotImplementedError>(place(), error.what());
    }
  }

  RecordedLinear linear(const GraphWeight& kernel, const GraphWeight& bias, Index outputs) {
    check_weight(kernel.value, kernel.value.shape(), kernel.name);
    if (bias.value.defined()) check_weight(bias.value, {outputs}, bias.name);
    RecordedLinear linear{.convolution = {}, .kernel = kernel.value, .bias = bias.value, .grid = {}, .codes = {}};
    if (const BaseInferableQuantizer* quantizer = quantizer_of(kernel)) {
      linear.grid = in_layer(kernel.name, [&] { return quantizer->grid(); });
      // The quantizer's own codes: those of a look-up table are not the grid's nearest.
      linear.codes = in_layer(kernel.name, [&] { return quantizer->codes(kernel.value); });
    }
    if (const BaseInferableQuantizer* quantizer = quantizer_of(bias); quantizer && bias.value.defined())
      linear.bias = in_layer(bias.name, [&] { return quantizer->dequantize(quantizer->codes(bias.value)); });
    return linear;
  }

  void check_weight(const Tensor& tensor, const Shape& shape, std::string_view name) const {
    if (!tensor.defined()) fail<ShapeError>("layer \"", layer, "\": ", name, " is undefined, expected float32 ", shape);
    if (tensor.dtype() != DType::float32 || tensor.shape() != shape)
      fail<ShapeError>("layer \"", layer, "\": ", name, " is ", tensor.dtype(), " ", tensor.shape(),
                       ", expected float32 ", shape);
  }
};

InferenceGraphBuilder::InferenceGraphBuilder(const Shape& input_shape) : impl_(std::make_unique<Impl>()) {
  impl_->layer = "input";
  impl_->record(RecordedInput{}, {}, input_shape);
}

InferenceGraphBuilder::~InferenceGraphBuilder() = default;

InferenceGraphBuilder& InferenceGraphBuilder::of(GraphBuilder& builder) {
  if (auto* self = dynamic_cast<InferenceGraphBuilder*>(&builder)) return *self;
  fail<StateError>("a model that holds quantizers can only be lowered to an InferenceGraphBuilder");
}

GraphValue InferenceGraphBuilder::input() const { return {0}; }

InferenceGraphBuilder::WeightScope::WeightScope(InferenceGraphBuilder& builder, const WeightQuantizers& quantizers)
    : builder_(builder) {
  builder.impl_->scopes.push_back({&quantizers, nullptr, {}});
}

InferenceGraphBuilder::WeightScope::WeightScope(InferenceGraphBuilder& builder, const WeightQuantizers& quantizers,
                                                const Layer& quantized)
    : builder_(builder) {
  builder.impl_->scopes.push_back({&quantizers, &quantized, {}});
}

InferenceGraphBuilder::WeightScope::~WeightScope() {
  Impl& impl = *builder_.impl_;
  const Impl::Scope& scope = impl.scopes.back();
  for (const auto& [name, quantizer] : *scope.quantizers)
    if (!scope.quantized && !scope.used.contains(name) && impl.unused.empty())
      impl.unused =
          message("layer \"", impl.layer, "\": weight \"", name, "\" has a quantizer, but the layer does not use it");
  impl.scopes.pop_back();
}

LayerPtr InferenceGraphBuilder::with_quantized_weights(const Layer& layer, const WeightQuantizers& quantizers) const {
  LayerPtr copy = layer.clone();
  for (const auto& [name, quantizer] : quantizers) {
    const ParameterPtr& weight = copy->weight(name);
    if (!quantizer) fail<ValueError>("layer \"", impl_->layer, "\": the quantizer of weight \"", name, "\" is null");
    const auto& frozen = quantizer;  // clang 14 has no structured bindings in lambdas
    weight->assign(impl_->in_layer(name, [&] { return frozen->dequantize(frozen->codes(weight->value())); }));
  }
  return copy;
}

void InferenceGraphBuilder::set_layer_name(std::string_view name) { impl_->layer = name; }

Shape InferenceGraphBuilder::shape(GraphValue value) const { return impl_->at(value).shape; }

GraphValue InferenceGraphBuilder::quantize(GraphValue x, const BaseInferableQuantizer& quantizer) {
  Grid grid = impl_->in_layer("", [&] { return quantizer.grid(); });
  validate(grid, message("layer \"", impl_->layer, "\""));
  if (quantizer.marks().target != QuantizationTarget::Activation || grid.scale.size() != 1)
    fail<ValueError>("layer \"", impl_->layer, "\": ", quantizer.type(), " does not quantize activations per tensor");
  if (grid.zero_point[0] < grid.lo || grid.zero_point[0] > grid.hi)
    fail<ValueError>("layer \"", impl_->layer, "\": real zero is not on the grid: zero point ", grid.zero_point[0],
                     " is outside the codes ", grid.lo, "..", grid.hi);
  grid.channel_axis.reset();
  return impl_->record_same(RecordedQuantize{std::move(grid)}, x);
}

GraphValue InferenceGraphBuilder::conv2d(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                                         const GraphWeight& bias) {
  const Conv2DGeometry g = conv2d_geometry(impl_->batch_of(x), kernel.value.shape(), window);
  RecordedLinear linear = impl_->linear(kernel, bias, g.out_c);
  linear.convolution = window;
  return impl_->record(std::move(linear), {x}, output_shape(g).without_front());
}

/// Zeros between pixels, and a convolution with the turned kernel: the same products.
GraphValue InferenceGraphBuilder::conv2d_transpose(GraphValue x, const Conv2DArguments& window,
                                                   const GraphWeight& kernel, const GraphWeight& bias) {
  const Conv2DGeometry g = conv2d_transpose_geometry(impl_->batch_of(x), kernel.value.shape(), window);
  RecordedLinear linear = impl_->linear(kernel, bias, g.in_c);
  linear.kernel = turned<float>(linear.kernel);
  if (linear.codes.defined()) linear.codes = turned<std::int32_t>(linear.codes);
  linear.convolution = Conv2DArguments{.padding = padding_between_zeros(g), .dilation = window.dilation};
  const Shape in = impl_->at(x).shape;
  if (g.stride_h > 1 || g.stride_w > 1) {
    x = impl_->record(InsertZeros2DOp{window.stride}, {x},
                      {(in[0] - 1) * g.stride_h + 1, (in[1] - 1) * g.stride_w + 1, in[2]});
    impl_->values.back().layer += "/zeros";
  }
  return impl_->record(std::move(linear), {x}, input_shape(g).without_front());
}

GraphValue InferenceGraphBuilder::dense(GraphValue x, const GraphWeight& kernel, const GraphWeight& bias) {
  const Shape& in = impl_->at(x).shape;
  if (in.rank() != 1 || kernel.value.rank() != 2 || kernel.value.dim(0) != in[0])
    fail<ShapeError>("layer \"", impl_->layer, "\": dense takes an input (k) and a kernel (k, units), got ", in,
                     " and ", kernel.value.shape());
  const Index units = kernel.value.dim(1);
  return impl_->record(impl_->linear(kernel, bias, units), {x}, {units});
}

GraphValue InferenceGraphBuilder::batch_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                                             const Tensor& variance, float epsilon) {
  const Shape channels{impl_->at(x).shape[-1]};
  impl_->check_weight(gamma, channels, "gamma");
  impl_->check_weight(beta, channels, "beta");
  impl_->check_weight(mean, channels, "mean");
  impl_->check_weight(variance, channels, "variance");
  return impl_->record_same(RecordedBatchNorm{gamma, beta, mean, variance, epsilon}, x);
}

GraphValue InferenceGraphBuilder::normalize(GraphValue x, const Tensor& mean, const Tensor& deviation) {
  const Shape channels{impl_->at(x).shape[-1]};
  const auto fits = [&](const Tensor& t) { return t.defined() && t.size() == 1 ? Shape{1} : channels; };
  impl_->check_weight(mean, fits(mean), "mean");
  impl_->check_weight(deviation, fits(deviation), "deviation");
  for (const float value : deviation.span<float>())
    if (!(std::abs(value) > 0.0F))
      fail<ValueError>("layer \"", impl_->layer, "\": a deviation is ", value, ", expected a nonzero number");
  return impl_->record_same(FloatNormalize{mean, deviation}, x);
}

GraphValue InferenceGraphBuilder::layer_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, float epsilon) {
  const Shape channels{impl_->at(x).shape[-1]};
  impl_->check_weight(gamma, channels, "gamma");
  impl_->check_weight(beta, channels, "beta");
  if (!(epsilon > 0 && std::isfinite(epsilon)))
    fail<ValueError>("layer \"", impl_->layer, "\": epsilon is ", epsilon, ", expected a positive finite number");
  return impl_->record_same(FloatLayerNorm{gamma, beta, epsilon}, x);
}

GraphValue InferenceGraphBuilder::max_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) {
  const Pool2DGeometry g = pool2d_geometry(impl_->batch_of(x), window, stride, padding);
  return impl_->record(MaxPool2DOp{window, stride, padding}, {x}, output_shape(g).without_front());
}

GraphValue InferenceGraphBuilder::average_pool2d(GraphValue x, PoolWindow window, Stride stride,
                                                 const Padding& padding) {
  const Pool2DGeometry g = pool2d_geometry(impl_->batch_of(x), window, stride, padding);
  return impl_->record(FloatAveragePool2D{window, stride, padding}, {x}, output_shape(g).without_front());
}

GraphValue InferenceGraphBuilder::global_average_pool2d(GraphValue x) {
  const Shape& in = impl_->at(x).shape;
  if (in.rank() != 3 || in[0] * in[1] == 0)
    fail<ShapeError>("layer \"", impl_->layer,
                     "\": global average pooling takes (h, w, c) with at least one pixel, got ", in);
  return impl_->record(FloatGlobalAveragePool2D{}, {x}, {in[2]});
}

GraphValue InferenceGraphBuilder::upsample2d(GraphValue x, UpsampleFactor factor, Interpolation interpolation) {
  const Shape in = impl_->at(x).shape;
  if (in.rank() != 3) fail<ShapeError>("layer \"", impl_->layer, "\": upsampling takes (h, w, c), got ", in);
  if (factor.h < 1 || factor.w < 1)
    fail<ValueError>("layer \"", impl_->layer, "\": the factor is (", factor.h, ", ", factor.w,
                     "), expected at least 1");
  const Shape out{in[0] * factor.h, in[1] * factor.w, in[2]};
  if (interpolation == Interpolation::nearest) return impl_->record(Upsample2DOp{factor}, {x}, out);
  return impl_->record(FloatUpsample2D{factor}, {x}, out);
}

GraphValue InferenceGraphBuilder::clamp(GraphValue x, float low, float high) {
  if (!(low <= high))
    fail<ValueError>("layer \"", impl_->layer, "\": clamp to ", low, "..", high, ", expected low <= high");
  return impl_->record_same(FloatClamp{low, high}, x);
}

GraphValue InferenceGraphBuilder::elementwise(GraphValue x, ElementwiseFunction function) {
  if (function == ElementwiseFunction::leaky_relu)
    fail<ValueError>("layer \"", impl_->layer, "\": leaky_relu without a slope: it has a function of its own");
  if (function == ElementwiseFunction::pow)
    fail<ValueError>("layer \"", impl_->layer, "\": pow without an exponent: it has a function of its own");
  return impl_->record_same(FloatElementwise{.function = function}, x);
}

GraphValue InferenceGraphBuilder::leaky_relu(GraphValue x, float slope) {
  if (!std::isfinite(slope))
    fail<ValueError>("layer \"", impl_->layer, "\": the slope is ", slope, ", expected a finite number");
  return impl_->record_same(FloatElementwise{.function = ElementwiseFunction::leaky_relu, .slope = slope}, x);
}

GraphValue InferenceGraphBuilder::pow(GraphValue x, float exponent) {
  if (!std::isfinite(exponent))
    fail<ValueError>("layer \"", impl_->layer, "\": the exponent is ", exponent, ", expected a finite number");
  return impl_->record_same(FloatElementwise{.function = ElementwiseFunction::pow, .exponent = exponent}, x);
}

GraphValue InferenceGraphBuilder::softmax(GraphValue x) { return impl_->record_same(FloatSoftmax{false}, x); }
GraphValue InferenceGraphBuilder::log_softmax(GraphValue x) { return impl_->record_same(FloatSoftmax{true}, x); }

GraphValue InferenceGraphBuilder::add(GraphValue a, GraphValue b) {
  const Shape shape = impl_->at(a).shape;
  if (shape != impl_->at(b).shape)
    fail<ShapeError>("layer \"", impl_->layer, "\": adds operands of different shapes, ", shape, " and ",
                     impl_->at(b).shape);
  return impl_->record(FloatAdd{}, {a, b}, shape);
}

GraphValue InferenceGraphBuilder::where(const Tensor& mask, GraphValue a, GraphValue b) {
  const Shape shape = impl_->at(a).shape;
  if (shape != impl_->at(b).shape)
    fail<ShapeError>("layer \"", impl_->layer, "\": chooses between operands of different shapes, ", shape, " and ",
                     impl_->at(b).shape);
  impl_->check_weight(mask, shape, "mask");
  for (const float value : mask.span<float>())
    if (value != 0 && value != 1)
      fail<ValueError>("layer \"", impl_->layer, "\": the mask holds ", value, ", expected 0 and 1");
  return impl_->record(FloatWhere{mask}, {a, b}, shape);
}

GraphValue InferenceGraphBuilder::concat(std::span<const GraphValue> values, int axis) {
  if (values.empty()) fail<ShapeError>("layer \"", impl_->layer, "\": concat takes at least one value, got none");
  const Shape& first = impl_->at(values.front()).shape;
  const int joined = normalize_axis(axis, first.rank(), message("layer \"", impl_->layer, "\""));
  Index extent = 0;
  for (const GraphValue value : values) {
    const Shape& next = impl_->at(value).shape;
    if (next.rank() != first.rank() || next.with(joined, 0) != first.with(joined, 0))
      fail<ShapeError>("layer \"", impl_->layer, "\": concat of ", first, " and ", next, ", which differ outside axis ",
                       joined);
    extent += next[joined];
  }
  return impl_->record(FloatConcat{joined}, {values.begin(), values.end()}, first.with(joined, extent));
}

GraphValue InferenceGraphBuilder::reshape(GraphValue x, const Shape& per_sample_shape) {
  if (per_sample_shape.size() != impl_->at(x).shape.size())
    fail<ShapeError>("layer \"", impl_->layer, "\": cannot reshape ", impl_->at(x).shape, " to ", per_sample_shape);
  return impl_->record(ReshapeOp{}, {x}, per_sample_shape);
}

GraphValue InferenceGraphBuilder::pad2d(GraphValue x, const Padding& padding) {
  const Shape& in = impl_->at(x).shape;
  if (in.rank() != 3 || padding.kind != Padding::Kind::explicit_)
    fail<ShapeError>("layer \"", impl_->layer, "\": pad2d takes (h, w, c) and explicit padding, got ", in);
  return impl_->record(Pad2DOp{padding}, {x},
                       {in[0] + padding.top + padding.bottom, in[1] + padding.left + padding.right, in[2]});
}

InferenceGraph InferenceGraphBuilder::finish(GraphValue output) const {
  impl_->at(output);
  if (!impl_->unused.empty()) fail<ValueError>(impl_->unused);
  return freeze(impl_->values, output.index);
}

}  // namespace bitgrad
