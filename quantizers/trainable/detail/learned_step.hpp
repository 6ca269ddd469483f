// A learned step, and where wanted a learned offset, that always make a grid that ships: what lsq, lsq-pot, lsq-plus
// and dqa are made of.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <bitgrad/autograd/operations/pending.hpp>
#include <bitgrad/quantizers/trainable.hpp>
#include <bitgrad/quantizers/trainable/detail/parts.hpp>

namespace bitgrad::detail {

/// Bounds of a parameter, float64: one number or one per element; undefined: none.
struct Limits {
  Tensor lo = {}, hi = {};
};

/// p as the forward pass sees it: limited to its bounds, inside of them the same to the last bit (grad_scale() may
/// change an ulp; conversion has to meet the same number). Gradient: `factor` times what comes in, but where p is out
/// of bounds only the part that leads back. A parameter that an optimizer threw out of bounds therefore does not drift
/// further, and returns as soon as the loss asks for it. Gradient checks have to start within the bounds. NaN stays
/// NaN.
Variable limited(const Variable& p, double factor, const Limits& limits);

/// The variables of one grid and what the forward pass and the conversion make of them; the same numbers in both, so
/// that what is trained is what is converted, to the bit. With T the threshold, n bits, K = 2^(n-1) signed or 2^n
/// unsigned, and lo..hi the codes:
///   SYMMETRIC      variable "scale", s = scale                                                        starts at T / K
///   POWER_OF_TWO   variable "log2_threshold", s = 2^round(log2_threshold) / K                         starts at log2 T
///   UNIFORM        variables "scale" and "offset", s = scale, z = round(-offset / s)    start at the range
/// Roundings are half to even and straight-through. Bounds, so that no step is zero, negative, or outside of float32: a
/// scale is at least 2^-16 of its start, log2_threshold at least its start - 16, and within float32; an offset lies in
/// [-hi s, 0], so that zero is on the grid. Gradients of all variables are scaled by 1 / sqrt(elements * hi), elements
/// being those that share one step: the weights of the tensor or channel, or the features of one sample. Esser et al.
/// 2020, section 2.2; with 1 bit signed, where the highest level is 0, hi counts as 1.
class LearnedStep {
 public:
  /// `tag` is appended to the keys: "scale_4". ValueError naming the class for starts that are no grid in float32.
  LearnedStep(const TrainableQuantizerWeightsConfig& config, std::string_view class_name, std::string_view tag = "");
  LearnedStep(const TrainableQuantizerActivationConfig& config, std::string_view class_name);

  /// Registered as NAME_scale and so on. ShapeError when the start does not broadcast against a weight of that shape.
  void create_variables(BaseTrainableQuantizer& owner, const std::optional<Shape>& shape, std::string_view name) const;
  /// Quantizes x with the owner's variables.
  Variable operator()(const BaseTrainableQuantizer& owner, const Pending& x) const;
  /// Whether an optimizer moves the owner's variables of this grid.
  void set_trainable(const BaseTrainableQuantizer& owner, bool trainable) const;
  /// Of the owner's current values. ValueError when they are not finite.
  InferablePtr convert(const BaseTrainableQuantizer& owner) const;

 private:
  struct Learned {
    Variable step, zero_point;
  };
  void start(const BaseQuantizerConfig& config, bool is_signed, std::string_view class_name);
  Learned learned(const Variable& first, const Variable& offset, double factor) const;
  Learned current(const BaseTrainableQuantizer& owner) const;
  ConfigRange range_of(const Learned& learned) const;
  Variable on_grid(const Learned& learned) const;
  double elements(const Shape& shape) const;

  bool weights() const { return config_.index() == 0; }
  bool uniform() const { return method_ == QuantizationMethod::UNIFORM; }
  bool power_of_two() const { return method_ == QuantizationMethod::POWER_OF_TWO; }

  std::variant<TrainableQuantizerWeightsConfig, TrainableQuantizerActivationConfig> config_;
  QuantizationMethod method_;
  int bits_;
  std::string first_key_, offset_key_;
  Levels levels_{};
  Tensor start_, start_offset_;  // float64: of the first variable; of the offset, only for UNIFORM
  Limits limits_;                // of the first variable
};

}  // namespace bitgrad::detail
