// How one kind of tensor is quantized, as options and as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <bitgrad/qat/calibration_method.hpp>
#include <bitgrad/quantizers/mark.hpp>

namespace bitgrad {

struct QuantizerSpec {
  std::string quantizer = "lsq";                  ///< identifier of a registered trainable quantizer
  int bits = 8;                                   ///< 1 to 16
  std::optional<QuantizationMethod> method = {};  ///< empty: symmetric, where the quantizer has that; else its own
  bool per_channel = true;                        ///< weights: one grid per output channel
  std::optional<Calibration> calibration = {};    ///< of starting values; empty: as the configuration says

  bool operator==(const QuantizerSpec&) const = default;
};

/// The method that a spec means for a target: the one it names, else default_method() of its quantizer. ValueError for
/// a quantizer that the target does not have.
QuantizationMethod method_of(const QuantizerSpec& spec, QuantizationTarget target);

/// `NAME:BITS`, then in any order `pot`, `symmetric` or `uniform`, `per-tensor`, and a calibration (`mse`, `minmax`,
/// `percentile[=P]`, `kl`), each behind a colon and once at most; or `none` for no quantizer. ValueError names the part
/// that is wrong and the nearest known name.
std::optional<QuantizerSpec> parse_quantizer_spec(std::string_view text);
/// What parse_quantizer_spec() reads back.
std::string to_string(const std::optional<QuantizerSpec>& spec);

/// Throws ValueError that starts with `what` for bits outside 1 to 16, a percentage out of range, and for an identifier
/// that is not registered, with the nearest that is.
void validate(const QuantizerSpec& spec, std::string_view what);

}  // namespace bitgrad
