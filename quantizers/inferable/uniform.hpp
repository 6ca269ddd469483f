// Uniform quantization of a range, with an integer zero point.
#pragma once

#include <optional>
#include <vector>

#include <bitgrad/quantizers/inferable/grid_quantizer.hpp>

namespace bitgrad {

/// How the zero point -min / scale of uniform weights becomes an integer.
enum class ZeroPointRule {
  rounded,    ///< half to even
  reference,  ///< truncated, as the reference does: moves the grid by one step for about 5 % of ranges
};

/// Codes 0 .. 2^n - 1. Ranges are rounded to float32 and moved so that zero is on the grid
/// (adjust_range_to_include_zero).
class WeightsUniformInferableQuantizer : public GridInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::UNIFORM}, inferable_identifier);

  struct Options {
    int num_bits = 8;                    ///< 1 to 16
    std::vector<double> min_range = {};  ///< finite; 1 element, or one per channel; a single one serves all channels
    std::vector<double> max_range = {};  ///< finite, greater than min_range
    bool per_channel = false;
    std::optional<int> channel_axis = {};  ///< required per channel, else ignored; negative counts from the end
    ZeroPointRule zero_point = ZeroPointRule::rounded;
  };
  /// Throws ValueError naming the option that is wrong.
  explicit WeightsUniformInferableQuantizer(Options options);

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  std::string describe() const override;
  std::string to_json() const override;
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new WeightsUniformInferableQuantizer(*this)); }
  const Options& options() const { return options_; }

 private:
  static constexpr std::string_view name = "WeightsUniformInferableQuantizer";
  Options options_;
};

/// One range per tensor. Scale and zero point are computed in double from the adjusted float32 range.
class ActivationUniformInferableQuantizer : public GridInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::UNIFORM}, inferable_identifier);

  struct Options {
    int num_bits = 8;                    ///< 1 to 16
    std::vector<double> min_range = {};  ///< one element, finite
    std::vector<double> max_range = {};  ///< one element, finite, greater than min_range
  };
  /// Throws ValueError naming the option that is wrong.
  explicit ActivationUniformInferableQuantizer(Options options);

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  std::string describe() const override;
  std::string to_json() const override;
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new ActivationUniformInferableQuantizer(*this)); }
  const Options& options() const { return options_; }

 private:
  static constexpr std::string_view name = "ActivationUniformInferableQuantizer";
  Options options_;
};

/// Scale and zero point that the quantizers above take for a range: what a training forward needs to be on the same
/// grid. Nothing is refused: a range of no width or out of order gives a scale that is no grid's.
struct UniformStep {
  float scale;
  std::int32_t zero_point;
};
UniformStep uniform_weights_step(float min, float max, int bits, ZeroPointRule rule = ZeroPointRule::rounded);
UniformStep uniform_activation_step(float min, float max, int bits);

}  // namespace bitgrad
