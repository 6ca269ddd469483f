// Turns a model into an inference graph.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <bitgrad/layers/graph_builder.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/inference/graph.hpp>
#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad {

/// Frozen quantizers of a layer's weights by weight name.
using WeightQuantizers = std::map<std::string, std::shared_ptr<const BaseInferableQuantizer>, std::less<>>;

/// Collects what layers lower to, then freezes it: recognises [conv2d|dense] → batch_norm? → clamp? → quantize and the
/// other patterns of graph.hpp whose inputs are all quantized, and leaves the rest in float32. Layers that speak only
/// the language of GraphBuilder know nothing of this class; the quantization wrapper and the activation holder use the
/// two functions that it adds.
class InferenceGraphBuilder : public GraphBuilder {
 public:
  /// For samples of this shape.
  explicit InferenceGraphBuilder(const Shape& input_shape);
  ~InferenceGraphBuilder() override;

  /// The builder as this class; StateError when a model that holds quantizers is lowered to another kind of builder.
  static InferenceGraphBuilder& of(GraphBuilder& builder);

  /// The model's input, float32.
  GraphValue input() const;

  /// From now on weights named in `quantizers` are quantized by them, until the scope ends: what the wrapper does
  /// around its layer's lower(). Of nested scopes the innermost is in effect.
  class WeightScope {
   public:
    /// Every weight named in `quantizers` has to come up, or finish() throws.
    WeightScope(InferenceGraphBuilder& builder, const WeightQuantizers& quantizers);
    /// `quantized` is the layer to be lowered, its weights on their grids already: only they count, not others of the
    /// same name (of layers inside it), and those that the layer turns into constants itself need not come up.
    WeightScope(InferenceGraphBuilder& builder, const WeightQuantizers& quantizers, const Layer& quantized);
    ~WeightScope();
    WeightScope(const WeightScope&) = delete;
    WeightScope& operator=(const WeightScope&) = delete;

   private:
    InferenceGraphBuilder& builder_;
  };
  /// A copy of the layer whose weights are on the grids of their quantizers. ValueError for a weight that the layer
  /// does not have and for a quantizer that is null; what a quantizer throws, with the layer in front.
  LayerPtr with_quantized_weights(const Layer& layer, const WeightQuantizers& quantizers) const;
  /// The value on the grid of an activation quantizer. ValueError naming the layer for a quantizer of weights, per
  /// channel or without real zero among its codes, NotImplementedError for one without a grid (look-up tables).
  GraphValue quantize(GraphValue x, const BaseInferableQuantizer& quantizer);

  /// Names the layer whose operations follow; Model::lower() calls it through GraphBuilder::set_layer_name().
  void set_layer_name(std::string_view name) override;

  Shape shape(GraphValue value) const override;
  GraphValue conv2d(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                    const GraphWeight& bias) override;
  GraphValue conv2d_transpose(GraphValue x, const Conv2DArguments& window, const GraphWeight& kernel,
                              const GraphWeight& bias) override;
  GraphValue dense(GraphValue x, const GraphWeight& kernel, const GraphWeight& bias) override;
  GraphValue batch_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                        const Tensor& variance, float epsilon) override;
  GraphValue normalize(GraphValue x, const Tensor& mean, const Tensor& deviation) override;
  GraphValue max_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) override;
  GraphValue average_pool2d(GraphValue x, PoolWindow window, Stride stride, const Padding& padding) override;
  GraphValue global_average_pool2d(GraphValue x) override;
  GraphValue layer_norm(GraphValue x, const Tensor& gamma, const Tensor& beta, float epsilon) override;
  GraphValue upsample2d(GraphValue x, UpsampleFactor factor, Interpolation interpolation) override;
  GraphValue clamp(GraphValue x, float low, float high) override;
  GraphValue elementwise(GraphValue x, ElementwiseFunction function) override;
  GraphValue leaky_relu(GraphValue x, float slope) override;
  GraphValue pow(GraphValue x, float exponent) override;
  GraphValue softmax(GraphValue x) override;
  GraphValue log_softmax(GraphValue x) override;
  GraphValue add(GraphValue a, GraphValue b) override;
  GraphValue where(const Tensor& mask, GraphValue a, GraphValue b) override;
  GraphValue concat(std::span<const GraphValue> values, int axis) override;
  GraphValue reshape(GraphValue x, const Shape& per_sample_shape) override;
  GraphValue pad2d(GraphValue x, const Padding& padding) override;

  /// The finished graph. ValueError naming layer and channel for a bias that does not fit int32, a scale that is not
  /// finite and positive, or an accumulator that could overflow int32.
  InferenceGraph finish(GraphValue output) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The model as an inference graph: from a float model, from one in quantization-aware training (its quantizers are
/// converted for the purpose), or from a finalized one: the latter two give the same bytes. StateError for a model that
/// is not built; else as InferenceGraphBuilder::finish() and convert2inferable() of the quantizers throw.
/// NotImplementedError for activations quantized by look-up tables, and for a kernel whose scales lie along another
/// axis than the output channels.
InferenceGraph convert2inferable(const Model& model);

/// What `evaluate` means everywhere: lower the live model, run the graph. x float32 [batch, input shape] to float32
/// [batch, output shape]. Throws as convert2inferable() and InferenceSession::run().
Tensor evaluate(const Model& model, const Tensor& x);

}  // namespace bitgrad
