#include <bitgrad/qat/inference/detail/float_operations.hpp>

#include <algorithm>
#include <functional>

#include <bitgrad/core/kernels/activations.hpp>
#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/conv.hpp>
#include <bitgrad/core/kernels/dense.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/kernels/layer_norm.hpp>
#include <bitgrad/core/kernels/pool.hpp>
#include <bitgrad/core/kernels/softmax.hpp>
#include <bitgrad/qat/inference/detail/moving.hpp>

namespace bitgrad::inference {
namespace {

/// y[..., c] = f(x[..., c], a[c], b[c]), where a and b have an element for every channel or one for all.
template <class F>
Tensor map_channels(const Tensor& x, const Tensor& a, const Tensor& b, F&& f) {
  Tensor y(x.shape());
  const Index channels = x.rank() > 0 ? x.dim(-1) : 1, size = x.size();
  const Index a_step = a.size() == 1 ? 0 : 1, b_step = b.size() == 1 ? 0 : 1;
  const float *from = x.data<float>(), *a_values = a.data<float>(), *b_values = b.data<float>();
  float* to = y.data<float>();
  for (Index row = 0; row < size; row += channels)
    for (Index c = 0; c < channels; ++c) to[row + c] = f(from[row + c], a_values[c * a_step], b_values[c * b_step]);
  return y;
}

void add_bias(Tensor& y, const Tensor& bias) {
  if (!bias.defined()) return;
  const Index channels = bias.size(), size = y.size();
  const float* add = bias.data<float>();
  float* values = y.data<float>();
  for (Index row = 0; row < size; row += channels)
    for (Index c = 0; c < channels; ++c) values[row + c] += add[c];
}

struct FloatRunner {
  std::span<const Tensor> inputs;
  Shape shape;  ///< of the output, with the batch axis

  const Tensor& x() const { return inputs.front(); }

  Tensor operator()(const FloatConv2D& op) const {
    const Conv2DGeometry g = conv2d_geometry(x().shape(), op.kernel.shape(), op.window);
    Tensor y(shape);
    kernels::conv2d_forward(g, x().data<float>(), op.kernel.data<float>(),
                            op.bias.defined() ? op.bias.data<float>() : nullptr, y.data<float>());
    return y;
  }
  Tensor operator()(const FloatDense& op) const {
    Tensor y(shape);
    kernels::dense_forward(x().dim(0), op.kernel.dim(0), op.kernel.dim(1), x().data<float>(), op.kernel.data<float>(),
                           y.data<float>());
    add_bias(y, op.bias);
    return y;
  }
  Tensor operator()(const FloatBatchNorm& op) const {
    return map_channels(x(), op.gain, op.offset, [](float v, float gain, float offset) { return v * gain + offset; });
  }
  Tensor operator()(const FloatNormalize& op) const {
    return map_channels(x(), op.mean, op.deviation,
                        [](float v, float mean, float deviation) { return (v - mean) / deviation; });
  }
  Tensor operator()(const FloatLayerNorm& op) const {
    Tensor y(shape);
    const Index width = op.gamma.size(), rows = y.size() / width;
    const kernels::Scratch<float> statistics(2 * rows);
    kernels::layer_norm_forward(rows, width, static_cast<double>(op.epsilon), x().data<float>(), op.gamma.data<float>(),
                                op.beta.data<float>(), y.data<float>(), statistics.data(), statistics.data() + rows);
    return y;
  }
  Tensor average(const PoolWindow& window, Stride stride, const Padding& padding) const {
    Tensor y(shape);
    kernels::average_pool2d_forward(pool2d_geometry(x().shape(), window, stride, padding), x().data<float>(),
                                    y.data<float>());
    return y;
  }
  Tensor operator()(const FloatAveragePool2D& op) const { return average(op.window, op.stride, op.padding); }
  Tensor operator()(const FloatGlobalAveragePool2D&) const {
    Tensor y(shape.rank() == 2 ? Shape{shape[0], 1, 1, shape[1]} : shape);
    kernels::average_pool2d_forward(pool2d_geometry(x().shape(), {x().dim(1), x().dim(2)}, {}, Padding::valid()),
                                    x().data<float>(), y.data<float>());
    return y.reshape(shape);
  }
  Tensor operator()(const FloatUpsample2D& op) const {
    Tensor y(shape);
    kernels::upsample2d_bilinear({x().dim(0), x().dim(1), x().dim(2), x().dim(3), op.factor}, x().data<float>(),
                                 y.data<float>());
    return y;
  }
  Tensor operator()(const FloatClamp& op) const {
    Tensor y(shape);
    kernels::clip(y.size(), op.low, op.high, x().data<float>(), y.data<float>());
    return y;
  }
  Tensor operator()(const FloatElementwise& op) const {
    Tensor y(shape);
    const float* from = x().data<float>();
    float* to = y.data<float>();
    switch (op.function) {
      case ElementwiseFunction::sigmoid: kernels::sigmoid(y.size(), from, to); break;
      case ElementwiseFunction::exp: kernels::exponential(y.size(), from, to); break;
      case ElementwiseFunction::log: kernels::logarithm(y.size(), from, to); break;
      case ElementwiseFunction::sqrt: kernels::square_root(y.size(), from, to); break;
      case ElementwiseFunction::abs: kernels::absolute(y.size(), from, to); break;
      case ElementwiseFunction::tanh: kernels::hyperbolic_tangent(y.size(), from, to); break;
      case ElementwiseFunction::gelu: kernels::gelu(y.size(), from, to); break;
      case ElementwiseFunction::hard_sigmoid: kernels::hard_sigmoid(y.size(), from, to); break;
      case ElementwiseFunction::hard_swish: kernels::hard_swish(y.size(), from, to); break;
      case ElementwiseFunction::leaky_relu: kernels::leaky_relu(y.size(), op.slope, from, to); break;
      case ElementwiseFunction::pow: kernels::power(y.size(), static_cast<double>(op.exponent), from, to); break;
    }
    return y;
  }
  Tensor operator()(const FloatSoftmax& op) const {
    Tensor y(shape);
    kernels::log_softmax(x().size() / x().dim(-1), x().dim(-1), x().data<float>(), y.data<float>());
    if (!op.logarithm) kernels::exponential(y.size(), y.data<float>(), y.data<float>());
    return y;
  }
  Tensor operator()(const FloatAdd&) const {
    Tensor y(shape);
    std::ranges::transform(inputs[0].span<float>(), inputs[1].span<float>(), y.span<float>().begin(), std::plus<>());
    return y;
  }
  Tensor operator()(const FloatWhere& op) const { return where<float>(op.mask, inputs[0], inputs[1]); }
  Tensor operator()(const WhereOp& op) const { return where<float>(op.mask, inputs[0], inputs[1]); }
  Tensor operator()(const FloatConcat& op) const { return concat<float>(inputs, op.axis, shape); }

  Tensor operator()(const MaxPool2DOp& op) const {
    Tensor y(shape);
    const kernels::Scratch<std::int32_t> winners(y.size());
    kernels::max_pool2d_forward(pool2d_geometry(x().shape(), op.window, op.stride, op.padding), x().data<float>(),
                                y.data<float>(), winners.data());
    return y;
  }
  Tensor operator()(const ReshapeOp&) const { return x().reshape(shape); }
  Tensor operator()(const Upsample2DOp& op) const { return upsample2d<float>(x(), op.factor, shape); }
  Tensor operator()(const InsertZeros2DOp& op) const { return insert_zeros2d<float>(x(), op.stride, shape, 0.0F); }
  Tensor operator()(const Pad2DOp& op) const { return pad2d<float>(x(), op.padding, shape, 0.0F); }

  template <class Op>
  Tensor operator()(const Op& op) const {
    fail<InternalError>("run_float: ", name_of(GraphOperation(op)), " is no operation on float32");
  }
};

}  // namespace

Tensor run_float(const GraphOperation& operation, const GraphTensor& output, std::span<const Tensor> inputs) {
  return std::visit(FloatRunner{inputs, output.shape.prepended(inputs.front().dim(0))}, operation);
}

}  // namespace bitgrad::inference
