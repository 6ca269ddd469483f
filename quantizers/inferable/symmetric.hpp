// Symmetric quantization by a threshold: scale t / 2^(n-s), zero point 0, values in [-t, t - scale] or [0, t - scale].
#pragma once

#include <optional>
#include <vector>

#include <bitgrad/quantizers/inferable/grid_quantizer.hpp>

namespace bitgrad {

/// Weights are always signed: codes -2^(n-1) .. 2^(n-1) - 1.
class WeightsSymmetricInferableQuantizer : public GridInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Weights, {QuantizationMethod::SYMMETRIC}, inferable_identifier);

  struct Options {
    int num_bits = 8;                    ///< 1 to 16
    std::vector<double> threshold = {};  ///< finite, positive; 1 element, or one per channel
    bool per_channel = false;
    std::optional<int> channel_axis = {};  ///< required per channel, else ignored; negative counts from the end
  };
  /// Throws ValueError naming the option that is wrong.
  explicit WeightsSymmetricInferableQuantizer(Options options)
      : WeightsSymmetricInferableQuantizer(std::move(options), name) {}

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  std::string describe() const override;
  std::string to_json() const override;
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new WeightsSymmetricInferableQuantizer(*this)); }
  const Options& options() const { return options_; }

 protected:
  WeightsSymmetricInferableQuantizer(Options options, std::string_view type);
  static Options read_options(std::string_view json, std::string_view type);

 private:
  static constexpr std::string_view name = "WeightsSymmetricInferableQuantizer";
  Options options_;
};

/// One threshold per tensor; unsigned codes 0 .. 2^n - 1 when is_signed is false.
class ActivationSymmetricInferableQuantizer : public GridInferableQuantizer {
 public:
  static constexpr QuantizerMark mark =
      mark_quantizer(QuantizationTarget::Activation, {QuantizationMethod::SYMMETRIC}, inferable_identifier);

  struct Options {
    int num_bits = 8;                    ///< 1 to 16
    std::vector<double> threshold = {};  ///< one element, finite, positive
    bool is_signed = true;               ///< "signed" in JSON
  };
  /// Throws ValueError naming the option that is wrong.
  explicit ActivationSymmetricInferableQuantizer(Options options)
      : ActivationSymmetricInferableQuantizer(std::move(options), name) {}

  std::string_view type() const override { return name; }
  const QuantizerMark& marks() const override { return mark; }
  std::string describe() const override;
  std::string to_json() const override;
  static InferablePtr from_json(std::string_view json);
  InferablePtr clone() const override { return InferablePtr(new ActivationSymmetricInferableQuantizer(*this)); }
  const Options& options() const { return options_; }

 protected:
  ActivationSymmetricInferableQuantizer(Options options, std::string_view type);
  static Options read_options(std::string_view json, std::string_view type);

 private:
  static constexpr std::string_view name = "ActivationSymmetricInferableQuantizer";
  Options options_;
};

}  // namespace bitgrad
