// Look-up-table quantizers: values of a table, scaled by a threshold. The reference's third kind of inferable
// quantizer.
#pragma once

#include <optional>
#include <vector>

#include <bitgrad/quantizers/inferable/lookup_table.hpp>

namespace bitgrad {

/// Weights are always signed. Their codes are signed integers of lut_values_bitwidth bits with the scale
/// t / 2^(lut_values_bitwidth - 1), so that graphs and exports run them as ordinary integer weights.
class WeightsLUTSymmetricInferableQuantizer : public LutInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::LUT_SYM_QUANTIZER}, inferable_identifier);

  struct Options {
    int num_bits = 8;                     ///< 1 to 16; at most 2^num_bits different entries
    std::vector<double> lut_values = {};  ///< whole numbers of lut_values_bitwidth bits, in any order
    std::vector<double> threshold = {};   ///< finite, positive; 1 element, or one per channel
    bool per_channel = false;
    std::optional<int> channel_axis = {};  ///< required per channel, else ignored; negative counts from the end
    /// Required per channel: the rank that channel_axis counts in. A tensor of another rank is aligned at its last
    /// axis, as NumPy broadcasts.
    std::optional<int> input_rank = {};
    int lut_values_bitwidth = 8;  ///< num_bits to 16
    double eps = 1e-8;            ///< added to the threshold where the input is divided by it
  };
  /// Throws ValueError naming the option that is wrong.
  explicit WeightsLUTSymmetricInferableQuantizer(Options options)
      : WeightsLUTSymmetricInferableQuantizer(std::move(options), name) {}

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  Grid grid() const override;
  std::string describe() const override;
  std::string to_json() const override;
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new WeightsLUTSymmetricInferableQuantizer(*this)); }
  const Options& options() const { return options_; }

 protected:
  WeightsLUTSymmetricInferableQuantizer(Options options, std::string_view type);
  static Options read_options(std::string_view json, std::string_view type);

 private:
  static constexpr std::string_view name = "WeightsLUTSymmetricInferableQuantizer";
  Options options_;
};

/// The same with thresholds that are powers of two.
class WeightsLUTPOTInferableQuantizer : public WeightsLUTSymmetricInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::LUT_POT_QUANTIZER}, inferable_identifier);

  /// Throws ValueError naming the option that is wrong, also for a threshold that is no power of two.
  explicit WeightsLUTPOTInferableQuantizer(Options options);

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new WeightsLUTPOTInferableQuantizer(*this)); }

 private:
  static constexpr std::string_view name = "WeightsLUTPOTInferableQuantizer";
};

/// One threshold per tensor, a power of two. The levels are unevenly spaced and stay so: there is no scale and zero
/// point by which an integer engine could reach them from its accumulators, so grid() throws, and with it the
/// conversion of a model with such a quantizer. table() describes the levels.
class ActivationLutPOTInferableQuantizer : public LutInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::LUT_POT_QUANTIZER}, inferable_identifier);

  struct Options {
    int num_bits = 8;                     ///< 1 to 16; at most 2^num_bits different entries
    std::vector<double> lut_values = {};  ///< whole numbers of lut_values_bitwidth bits (unsigned: 2^bits as well)
    std::vector<double> threshold = {};   ///< one element, a power of two
    bool is_signed = true;                ///< "signed" in JSON
    int lut_values_bitwidth = 8;          ///< num_bits to 16
    double eps = 1e-8;                    ///< added to the threshold where the input is divided by it
  };
  /// Throws ValueError naming the option that is wrong.
  explicit ActivationLutPOTInferableQuantizer(Options options);

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  /// Throws NotImplementedError: see above.
  Grid grid() const override;
  std::string describe() const override;
  std::string to_json() const override;
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new ActivationLutPOTInferableQuantizer(*this)); }
  const Options& options() const { return options_; }

 private:
  static constexpr std::string_view name = "ActivationLutPOTInferableQuantizer";
  Options options_;
};

}  // namespace bitgrad
