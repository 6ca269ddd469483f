// Grids that calibration tries out on a group of values, and what they cost.
#pragma once

#include <vector>

namespace bitgrad::calibration {

/// Bounds of the real values that a grid is to hold.
struct Bounds {
  double low = 0;
  double high = 0;
};

/// code = clamp(half_even(x / scale) + zero, lo, hi), value = (code - zero) * scale, all float32.
struct TrialGrid {
  float scale;
  float zero;
  float lo;
  float hi;
};

/// Of the quantizers in quantizers/inferable/, but for the uniform one's shift onto zero, which moves both ends by less
/// than half a step.
TrialGrid symmetric_grid(double threshold, int bits, bool is_signed);
TrialGrid uniform_grid(const Bounds& range, int bits);

/// Sum over the values of (x - quantized x)^2.
double squared_error(const std::vector<float>& values, const TrialGrid& grid);

/// The distribution of a group of values, against which grids are measured by the Kullback-Leibler divergence. After
/// Migacz, "8-bit inference with TensorRT", GTC 2017; docs/quantization.md has the formula and the three differences.
class Distribution {
 public:
  static constexpr std::size_t bins = 2048;

  /// `values` holds at least one that is not zero.
  explicit Distribution(const std::vector<float>& values);

  /// What the histogram covers: everything but values more than eight times beyond the 99th percentile of magnitudes.
  const Bounds& bounds() const { return bounds_; }
  /// Sum of P ln(P / Q) over the bins: P is the distribution clipped to the grid's range, Q what is left of it on the
  /// grid. Infinite when nothing lies inside the range.
  double divergence(const TrialGrid& grid) const;

 private:
  double center(std::size_t bin) const { return bounds_.low + (static_cast<double>(bin) + 0.5) * width_; }

  Bounds bounds_;
  double width_ = 0;
  std::vector<double> counts_;    ///< [bins], of values that are not zero
  double below_ = 0, above_ = 0;  ///< number of values outside of the histogram
};

/// The smallest of the values such that at least `percent` of them are not greater (nearest rank). `values` is not
/// empty; its order is changed.
double percentile(std::vector<double>& values, double percent);

}  // namespace bitgrad::calibration
