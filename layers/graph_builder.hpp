// What a layer says of itself when a model is turned into an inference graph.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include <bitgrad/autograd/operations/convolution.hpp>
#include <bitgrad/core/kernels/geometry.hpp>
#include <bitgrad/core/kernels/upsample.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// A tensor of the graph under construction.
struct GraphValue {
  int index = -1;
};

/// A weight of the layer that is being lowered, under the name it has in the layer.
struct GraphWeight {
  std::string_view name;
  Tensor value;  ///< undefined: the layer has no such weight (a Conv2D without bias)
};

/// Elementwise functions that have no better description than their name.
enum class ElementwiseFunction { sigmoid, exp, log, sqrt, abs, tanh, gelu, hard_sigmoid, hard_swish, leaky_relu, pow };

/// Receives the operations of a model in execution order. Every layer describes its inference behaviour in these terms,
/// so that "trains but cannot be exported" cannot happen. Shapes are per sample, without the batch axis; all values are
/// float32 in meaning. Implementations throw ShapeError for operands that do not fit, and ValueError for a value that
/// is not of this builder and for numbers out of range.
class GraphBuilder {
 public:
  virtual ~GraphBuilder() = default;

  /// The layer whose operations follow, by its name in the model, for the names in the graph and in messages.
  virtual void set_layer_name(std::string_view name) = 0;

  /// Per-sample shape of a value.
  virtual Shape shape(GraphValue value) const = 0;

  /// kernel [kh, kw, in / groups, out], bias [out] or undefined. A depthwise convolution has as many groups as input
  /// channels.
  virtual GraphValue conv2d(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                            const GraphWeight& bias) = 0;
  /// kernel [kh, kw, in, out], bias [out] or undefined; `window` is that of the convolution that is turned round, as
  /// for the operation conv2d_transpose().
  virtual GraphValue conv2d_transpose(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                                      const GraphWeight& bias) = 0;
  /// kernel [in, out], bias [out] or undefined; x of rank 1.
  virtual GraphValue dense(GraphValue x, const GraphWeight& kernel, const GraphWeight& bias) = 0;
  /// (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis; each [channels].
  virtual GraphValue batch_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                                const Tensor& variance, float epsilon) = 0;
  /// (x - mean) / sqrt(variance + epsilon) * gamma + beta with mean and variance of x itself over the last axis; gamma
  /// and beta [channels].
  virtual GraphValue layer_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, float epsilon) = 0;
  /// (x - mean) / deviation over the last axis; each [channels] or [1].
  virtual GraphValue normalize(GraphValue x, const Tensor& mean, const Tensor& deviation) = 0;
  /// The largest element of each window of [h, w, c], per channel; padding never wins. Padding is smaller than the
  /// window.
  virtual GraphValue max_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) = 0;
  /// The mean of each window of [h, w, c], per channel; padding does not count. Padding is smaller than the window.
  virtual GraphValue average_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) = 0;
  /// The mean over height and width: [h, w, c] to [c].
  virtual GraphValue global_average_pool2d(GraphValue x) = 0;
  /// [h, w, c] to [h * factor.h, w * factor.w, c]; factors of 1 and more.
  virtual GraphValue upsample2d(GraphValue x, UpsampleFactor factor, Interpolation interpolation) = 0;
  /// min(max(x, low), high); infinite bounds are allowed: ReLU is clamp(x, 0, infinity).
  virtual GraphValue clamp(GraphValue x, float low, float high) = 0;
  /// Any but leaky_relu and pow.
  virtual GraphValue elementwise(GraphValue x, ElementwiseFunction function) = 0;
  /// x where x > 0, slope * x elsewhere; a finite slope.
  virtual GraphValue leaky_relu(GraphValue x, float slope) = 0;
  /// x^exponent, the operation pow(); a finite exponent.
  virtual GraphValue pow(GraphValue x, float exponent) = 0;
  /// exp(x) / sum(exp(x)) over the last axis, and its logarithm.
  virtual GraphValue softmax(GraphValue x) = 0;
  virtual GraphValue log_softmax(GraphValue x) = 0;
  /// Operands of one shape.
  virtual GraphValue add(GraphValue a, GraphValue b) = 0;
  /// a where the mask is 1, b where it is 0; all three of one shape, the mask float32.
  virtual GraphValue where(const Tensor& mask, GraphValue a, GraphValue b) = 0;
  /// The values, one at least, one after the other along an axis of the per-sample shape (negative: from the end);
  /// their other extents agree.
  virtual GraphValue concat(std::span<const GraphValue> values, int axis) = 0;
  /// The same elements in row-major order under a shape of the same size.
  virtual GraphValue reshape(GraphValue x, const Shape& per_sample_shape) = 0;
  /// Zeros around height and width of [h, w, c]; the padding is Padding::explicit_.
  virtual GraphValue pad2d(GraphValue x, const Padding& padding) = 0;
};

}  // namespace bitgrad
