#pragma once

#include <bitgrad/layers/layer.hpp>

namespace bitgrad {

struct BatchNormOptions {
  float momentum = 0.9F;  ///< moving = momentum * moving + (1 - momentum) * batch, as in Keras; in [0, 1]
  float epsilon = 1e-3F;  ///< added to the variance; positive
  std::string name = {};
};

/// Normalisation of each channel (the last axis) over all others, then gamma * x + beta. Ioffe, Szegedy, "Batch
/// Normalization", ICML 2015, algorithm 1. In training the batch's own mean and variance are used and move the buffers
/// "moving_mean" and "moving_variance" [channels], the variance in its unbiased form (algorithm 2, step 10); otherwise
/// these are used. Weights "gamma" and "beta" [channels]. ValueError for options out of range, ShapeError for an input
/// without channels.
class BatchNorm : public LayerOf<BatchNorm> {
 public:
  explicit BatchNorm(BatchNormOptions options = {});

  std::string_view type() const override { return "BatchNorm"; }
  std::string_view name_stem() const override { return "bn"; }
  Shape output_shape(std::span<const Shape> inputs) const override;
  Variable apply(std::span<const Variable> inputs, const Weights& weights, const Context& context) final;
  Pending apply_pending(const Pending& x, const Weights& weights, const Context& context) final;
  GraphValue lower(GraphBuilder& builder, std::span<const GraphValue> inputs) const override;

  /// Frozen: training uses the moving statistics too and leaves them alone; gamma and beta still train.
  void set_frozen(bool frozen) { frozen_ = frozen; }
  bool frozen() const { return frozen_; }

  const BatchNormOptions& options() const { return options_; }
  float epsilon() const { return options_.epsilon; }

 private:
  void create_weights(std::span<const Shape> inputs, Random& random) override;
  /// `count`: numbers per channel in the batch.
  void move_statistics(const Tensor& batch_mean, const Tensor& batch_variance, Index count);

  BatchNormOptions options_;
  bool frozen_ = false;
};

}  // namespace bitgrad
