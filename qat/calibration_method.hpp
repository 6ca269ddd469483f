// How starting values of quantizers are chosen from data, by name.
#pragma once

#include <string>
#include <string_view>

namespace bitgrad {

/// docs/quantization.md has the formulas.
enum class CalibrationMethod {
  mse,         ///< least mean squared error between values and quantized values, by a search
  minmax,      ///< the smallest grid that holds every value
  percentile,  ///< the smallest grid that holds a given percentage of the values
  kl,  ///< least Kullback-Leibler divergence of the quantized distribution (Migacz, "8-bit inference with TensorRT");
       ///< groups of fewer than 2048 values that are not zero, as kernels have per channel, are calibrated by mse
};

struct Calibration {
  CalibrationMethod method = CalibrationMethod::mse;
  double percentile =
      99.99;  ///< of CalibrationMethod::percentile: percentage of the values to hold, above 50, at most 100

  bool operator==(const Calibration&) const = default;
};

/// `mse`, `minmax`, `percentile`, `percentile=99.9` or `kl`; ValueError with the nearest name, or the percentage that
/// is out of range.
Calibration parse_calibration(std::string_view text);
/// Throws ValueError that starts with `what` for a percentage out of range.
void validate(const Calibration& calibration, std::string_view what);
/// What parse_calibration() reads back.
std::string to_string(const Calibration& calibration);

}  // namespace bitgrad
