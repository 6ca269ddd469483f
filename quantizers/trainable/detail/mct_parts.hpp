// What the reference's eight quantizers share: their variables and conversions. STE and LSQ only add the forward pass.
#pragma once

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/quantizers/trainable/detail/parts.hpp>
#include <bitgrad/quantizers/trainable/trainable_quantizer.hpp>

namespace bitgrad::mct {

inline constexpr std::string_view threshold_key = "ptq_threshold_tensor";
inline constexpr std::string_view min_key = "min";
inline constexpr std::string_view max_key = "max";

/// The configured threshold, for power-of-two weights 2^ceil(log2(max(t, 2^-16))) of it (computed in double).
Tensor weights_threshold(const TrainableQuantizerWeightsConfig& config, std::string_view class_name);

/// min and max moved so that zero is on the grid, as Variables (range.hpp): rounding has no gradient, the width does.
struct AdjustedRange {
  Variable min, max;
};
AdjustedRange adjust_range_to_include_zero(const Variable& min, const Variable& max, int bits);
/// The same for the values at conversion, in float32.
detail::ConfigRange adjusted(const Tensor& min, const Tensor& max, int bits);

/// The learned threshold as an operand. The reference trains on with a negative one, and so does this; where its
/// formulas give NaN or infinities (a step of 0, a threshold that is not finite), ValueError naming the variable.
Variable usable_threshold(const ParameterPtr& threshold, double levels);
/// The learned range adjusted to include zero; ValueError likewise when its step is 0 or not finite.
AdjustedRange usable_range(const ParameterPtr& min, const ParameterPtr& max, int bits);
/// Creates "min" and "max". Both move in units of the range's width, since one may be 0.
void add_range(BaseTrainableQuantizer& owner, std::string_view name, const detail::ConfigRange& start, bool learns);

/// The threshold that conversion hands over: 2^ceil(log2 t) in float32 for POWER_OF_TWO, else as it is.
Tensor converted_threshold(QuantizationMethod method, const Tensor& threshold);
/// The reference cannot convert ranges of rank 0; throws ValueError for them.
void require_convertible(const Tensor& range, std::string_view class_name);

/// Where the reference's formulas depart from what check_quantizer() expects. LSQ scales gradients.
struct Formulas {
  bool learns = false;
  bool scales_gradient = false;
};
std::vector<Departure> departures_by_threshold(QuantizationMethod method, const Formulas& formulas);
std::vector<Departure> departures_by_range(const Formulas& formulas);

/// Weights by a threshold: variable "ptq_threshold_tensor", registered as NAME_ptq_threshold_tensor.
template <class Derived>
class SymmetricWeights : public TrainableQuantizer<Derived, TrainableQuantizerWeightsConfig> {
 public:
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override {
    detail::check_weight_shape(this->config(), shape, start_, name);
    this->add_quantizer_variable(
        threshold_key, detail::quantizer_variable(message(name, "_", threshold_key), start_, Derived::formulas.learns));
  }
  InferablePtr convert2inferable() const override {
    const Tensor& threshold = this->get_quantizer_variable(threshold_key)->value();
    return inferable_quantizer(this->config(), converted_threshold(this->config().method, threshold));
  }

  std::vector<Departure> departures() const override {
    return departures_by_threshold(this->config().method, Derived::formulas);
  }

 protected:
  explicit SymmetricWeights(const TrainableQuantizerWeightsConfig& config)
      : TrainableQuantizer<Derived, TrainableQuantizerWeightsConfig>(config),
        start_(weights_threshold(config, type_name<Derived>())),
        levels_(detail::symmetric_levels(config.n_bits, true)) {
    detail::check_weight_parameter(config, start_, type_name<Derived>());
  }
  Variable threshold() const { return usable_threshold(this->get_quantizer_variable(threshold_key), levels_.count); }

  Tensor start_;
  detail::Levels levels_;
};

/// Weights by a range: variables "min" and "max", registered as NAME_min and NAME_max.
template <class Derived>
class UniformWeights : public TrainableQuantizer<Derived, TrainableQuantizerWeightsConfig> {
 public:
  void initialize_quantization(const std::optional<Shape>& shape, std::string_view name) override {
    detail::check_weight_shape(this->config(), shape, start_.min, name);
    add_range(*this, name, start_, Derived::formulas.learns);
  }
  InferablePtr convert2inferable() const override {
    const Tensor& min = this->get_quantizer_variable(min_key)->value();
    const Tensor& max = this->get_quantizer_variable(max_key)->value();
    require_convertible(min, type_name<Derived>());
    if constexpr (!Derived::adjusts_at_conversion) return inferable_quantizer(this->config(), min, max);
    const detail::ConfigRange range = adjusted(min, max, this->config().n_bits);
    return inferable_quantizer(this->config(), range.min, range.max);
  }

  std::vector<Departure> departures() const override { return departures_by_range(Derived::formulas); }

 protected:
  explicit UniformWeights(const TrainableQuantizerWeightsConfig& config)
      : TrainableQuantizer<Derived, TrainableQuantizerWeightsConfig>(config),
        start_(detail::config_range(config, type_name<Derived>())),
        levels_(detail::uniform_levels(config.n_bits)) {
    detail::check_weight_parameter(config, start_.min, type_name<Derived>());
  }
  AdjustedRange range() const {
    return usable_range(this->get_quantizer_variable(min_key), this->get_quantizer_variable(max_key),
                        this->config().n_bits);
  }

  detail::ConfigRange start_;
  detail::Levels levels_;
};

/// Activations by a threshold of one element: variable "ptq_threshold_tensor", registered as NAME.
template <class Derived>
class SymmetricActivation : public TrainableQuantizer<Derived, TrainableQuantizerActivationConfig> {
 public:
  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    this->add_quantizer_variable(threshold_key,
                                 detail::quantizer_variable(std::string(name), start_,
                                                            Derived::formulas.learns && !this->freeze_quant_params()));
  }
  InferablePtr convert2inferable() const override {
    const Tensor& threshold = this->get_quantizer_variable(threshold_key)->value();
    return inferable_quantizer(this->config(), converted_threshold(this->config().method, threshold));
  }

  std::vector<Departure> departures() const override {
    return departures_by_threshold(this->config().method, Derived::formulas);
  }

 protected:
  explicit SymmetricActivation(const TrainableQuantizerActivationConfig& config, bool freeze_quant_params = false)
      : TrainableQuantizer<Derived, TrainableQuantizerActivationConfig>(config, freeze_quant_params),
        start_(detail::one_element(detail::config_threshold(config, type_name<Derived>()), "threshold",
                                   type_name<Derived>())),
        levels_(detail::symmetric_levels(config.n_bits, detail::is_signed(config))) {}
  Variable threshold() const { return usable_threshold(this->get_quantizer_variable(threshold_key), levels_.count); }

  Tensor start_;
  detail::Levels levels_;
};

/// Activations by a range of one element each: variables "min" and "max", registered as NAME_min and NAME_max.
template <class Derived>
class UniformActivation : public TrainableQuantizer<Derived, TrainableQuantizerActivationConfig> {
 public:
  void initialize_quantization(const std::optional<Shape>&, std::string_view name) override {
    add_range(*this, name, start_, Derived::formulas.learns && !this->freeze_quant_params());
  }
  InferablePtr convert2inferable() const override {
    const Tensor& min = this->get_quantizer_variable(min_key)->value();
    const Tensor& max = this->get_quantizer_variable(max_key)->value();
    if constexpr (!Derived::adjusts_at_conversion) return inferable_quantizer(this->config(), min, max);
    const detail::ConfigRange range = adjusted(min, max, this->config().n_bits);
    return inferable_quantizer(this->config(), range.min, range.max);
  }

  std::vector<Departure> departures() const override { return departures_by_range(Derived::formulas); }

 protected:
  explicit UniformActivation(const TrainableQuantizerActivationConfig& config, bool freeze_quant_params = false)
      : TrainableQuantizer<Derived, TrainableQuantizerActivationConfig>(config, freeze_quant_params),
        start_(detail::config_range(config, type_name<Derived>())),
        levels_(detail::uniform_levels(config.n_bits)) {
    start_ = {detail::one_element(start_.min, "range_min", type_name<Derived>()),
              detail::one_element(start_.max, "range_max", type_name<Derived>())};
  }
  AdjustedRange range() const {
    return usable_range(this->get_quantizer_variable(min_key), this->get_quantizer_variable(max_key),
                        this->config().n_bits);
  }

  detail::ConfigRange start_;
  detail::Levels levels_;
};

}  // namespace bitgrad::mct
