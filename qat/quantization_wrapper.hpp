// A layer whose weights are quantized before every use.
#pragma once

#include <optional>
#include <string>

#include <bitgrad/layers/batch_norm.hpp>
#include <bitgrad/layers/layer.hpp>
#include <bitgrad/qat/dispatcher.hpp>

namespace bitgrad {

/// What the gain of a batch normalisation, gamma / sqrt(variance + epsilon), is multiplied into when it is folded.
enum class GainGoesInto {
  scale,   ///< the kernel's scales, behind its quantizer
  kernel,  ///< the float kernel, before its quantizer, whose scales ship as it makes them: powers of two stay such
};

/// What a wrapper knows beyond its layer and quantizers.
struct QuantizationWrapperOptions {
  /// The batch normalisation behind the layer, which ships folded into it (convolutions and Dense only).
  std::optional<BatchNorm> batch_norm = {};
  GainGoesInto gain_goes_into = GainGoesInto::scale;
  /// Name of the activation holder whose grid the layer's input is on; empty when the input is float32. With it the
  /// bias is quantized in training at the scale of the accumulator, s_x * s_w.
  std::string input_holder = {};
};

/// Wraps a layer and quantizes the weights named by the dispatcher - any of the layer's own, built-in or a user's - and
/// its output where the dispatcher says so. The float weights stay the trained parameters; gradients reach them through
/// the quantizers. The wrapped layer is not changed: it is applied to quantized values.
///
/// Lowering: the layer describes itself with its weights replaced by their values on the grid. A kernel that it hands
/// to conv2d() or dense() becomes integer codes. A bias becomes int32 in units of the accumulator: with a quantizer of
/// its own, the whole number nearest to its value on that grid, in training too. Any other weight enters whatever
/// constants the layer makes of it.
class QuantizationWrapper : public LayerOf<QuantizationWrapper> {
 public:
  /// ValueError when there is more than one output quantizer, or a batch norm behind a layer that cannot fold one.
  /// Building throws ValueError for a quantizer of a weight that the layer does not have, naming those that it has.
  QuantizationWrapper(LayerPtr layer, NodeQuantizationDispatcher dispatcher, QuantizationWrapperOptions options = {});
  template <std::derived_from<Layer> L>
  QuantizationWrapper(L layer, NodeQuantizationDispatcher dispatcher, QuantizationWrapperOptions options = {})
      : QuantizationWrapper(LayerPtr(std::make_unique<L>(std::move(layer))), std::move(dispatcher),
                            std::move(options)) {}
  QuantizationWrapper(const QuantizationWrapper& other);

  std::string_view type() const override { return "QuantizationWrapper"; }
  std::string_view name_stem() const override { return layer_->name_stem(); }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) final;
  Pending apply_pending(const Pending& x, const Weights& weights, const Context& context) final;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;
  std::vector<NamedLayer> sublayers() const override { return {{"layer", layer_.get()}}; }
  /// The layer's parameters, those of the batch norm ("bn/gamma"), then the quantizers' variables.
  std::vector<NamedParameter> parameters() const override;
  std::vector<NamedBuffer> buffers() const override;
  Weights weight_values() const override;

  const Layer& layer() const { return *layer_; }
  const NodeQuantizationDispatcher& dispatcher() const { return dispatcher_; }
  const BatchNorm* batch_norm() const { return batch_norm_ ? &*batch_norm_ : nullptr; }
  const std::string& input_holder() const { return input_holder_; }
  /// What the quantizer of a weight gets to see: the weight, or the kernel times the gain that goes into it.
  Tensor before_quantizer(std::string_view weight) const;
  /// From now on the forward pass uses the moving statistics, folds the normalisation and quantizes the bias, as in
  /// evaluation.
  void freeze_batch_norm(bool frozen) { frozen_ = frozen; }

  /// Every quantizer becomes its inferable form. Idempotent.
  void convert_to_inferable_quantizers();

 protected:
  void create_weights(std::span<const Shape> inputs, Random& random) override;

 private:
  Pending compute(std::span<const Variable> inputs, const Weights& weights, const Context& context);
  Weights quantized(const Weights& weights, const Context& context) const;
  bool takes_gain(std::string_view weight) const;
  LayerPtr with_gain() const;
  bool uses_batch_statistics(const Context& context) const { return batch_norm_ && context.training && !frozen_; }
  Variable apply_folded(std::span<const Variable> inputs, Weights used, const Weights& weights, const Context& context);
  std::optional<Tensor> accumulator_scale(const Context& context) const;

  LayerPtr layer_;
  NodeQuantizationDispatcher dispatcher_;
  std::optional<BatchNorm> batch_norm_;
  GainGoesInto gain_goes_into_;
  std::string input_holder_;
  bool frozen_ = false;
};

}  // namespace bitgrad
