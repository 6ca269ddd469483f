// DNN quantization with attention: Boukli Hacene, Mauch, Uhlich, Cardinaux, "DNN quantization with attention", 2021,
// arXiv:2103.13322. A weight is quantized with several bit widths at once, and attention learns which one serves it:
//   y = sum_i p_i Q_i(x)     p = softmax(T a / std(a))
// with the attention a, a temperature T that rises in training until one width is left, and std the unbiased standard
// deviation (floored at 1e-6, so that equal attentions are no division by zero). The widths are n, 2 n and 4 n bits up
// to 16 with a = 4/7, 2/7, 1/7 at the start (in general halved from width to width), as in the reference system, whose
// own quantizer of this name never ran; or the config's candidates, in the order of their bits, each with its own start
// where it has one.
//
// Each Q_i learns its own grid: that of lsq (SYMMETRIC) or lsq-plus (UNIFORM). For the first half of the training T
// rises linearly from 0, where all widths count alike, to 10, where the favourite counts more than 99 % against any
// other that is half a deviation behind. Then the favourite stands: the second half trains, evaluation runs and
// conversion gives the most probable width alone, to the bit. So the converted weight may have more bits than the
// config's n_bits. How far training is comes from set_training_progress(), which the trainer calls; without it the
// mixture stays even and conversion gives the first width.
#pragma once

#include <vector>

#include <bitgrad/quantizers/trainable/detail/learned_step.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

namespace bitgrad {

/// Variables: "attention" (one number per width), then "scale_4" and, for UNIFORM, "offset_4" for the width of 4 bits
/// and so on.
class AttentionWeightsQuantizer
    : public TrainableQuantizer<AttentionWeightsQuantizer, TrainableQuantizerWeightsConfig> {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC, QuantizationMethod::UNIFORM}, "dqa");

  /// Starts from "threshold" or, for UNIFORM, "range_min" < "range_max". ValueError for candidates with bits outside of
  /// 1 to 16 or with the same bits, and for starts that are no grid.
  explicit AttentionWeightsQuantizer(const TrainableQuantizerWeightsConfig& config, bool freeze_quant_params = false);
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override;
  void set_training_progress(double share) override;
  /// The mixture while training in the first half, else the most probable width.
  Variable operator()(const Variable& x, bool training) override;
  InferablePtr convert2inferable() const override;

  /// Bits of every width, rising.
  const std::vector<int>& widths() const { return widths_; }
  /// The most probable width, the narrower of equals: an index into widths(). ValueError when an attention is NaN.
  std::size_t favourite() const;
  /// p at the current temperature.
  Tensor probabilities() const;

 private:
  bool mixes() const;

  std::vector<int> widths_;
  std::vector<detail::LearnedStep> steps_;  // one per width
  double progress_ = 0;
};

}  // namespace bitgrad
