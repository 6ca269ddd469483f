// Quantization to the values of a table in place of evenly spaced levels.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bitgrad/quantizers/inferable.hpp>

namespace bitgrad {
namespace detail {

/// The table as it is given to a constructor.
struct LutEntries {
  int num_bits;
  const std::vector<double>& values;
  int bitwidth;  ///< of an entry
  bool is_signed;
};

/// Of one channel, in float32.
struct LutThreshold {
  float value;         ///< t
  float with_epsilon;  ///< t + eps
};

}  // namespace detail

/// What all look-up-table (LUT) quantizers do. With t the threshold, m = 2^(B-1) signed or 2^B unsigned and B the bit
/// width of the entries, in float32 and in this order:
///   v = clamp(x / (t + eps) * m, lo, hi)      lo..hi = -2^(B-1) .. 2^(B-1)-1 signed, 0 .. 2^B-1 unsigned; not rounded
///   code = the entry nearest to v             of two equally near ones that which the table lists first
///   value = code / m * t
/// NaN stays NaN in floats and has no code; infinities take the entry nearest to the bound. Codes are entries, not
/// positions in the table, so that value = code * scale with scale = t / m, as on any other grid.
class LutInferableQuantizer : public BaseInferableQuantizer {
 public:
  int bits() const override { return num_bits_; }
  Tensor operator()(const Tensor& x) const override;
  Tensor codes(const Tensor& x) const override;
  /// ValueError naming a code that is no entry.
  Tensor dequantize(const Tensor& codes) const override;
  std::optional<LookupTable> table() const override { return table_; }
  /// Zero is a level only where the table has an entry 0.
  std::vector<Departure> departures() const override;

 protected:
  /// ValueError starting with `type` for a table that is empty, has entries that are no whole numbers or out of range,
  /// or more different ones than 2^num_bits; for bits out of 1..16, more than the entries have; and for thresholds
  /// whose scale is not positive in float32. The axis counts from the end.
  LutInferableQuantizer(const detail::LutEntries& entries, std::vector<detail::LutThreshold> thresholds,
                        std::optional<int> channel_axis, std::string_view type);

 private:
  template <class Store>
  void quantize(const Tensor& x, Store store) const;

  int num_bits_;
  LookupTable table_;
  std::vector<detail::LutThreshold> thresholds_;
  std::vector<float> levels_;  // the entries as float32
};

namespace detail {

/// Throws ValueError starting with `type` unless eps is finite and not negative.
void check_epsilon(double eps, std::string_view type);
/// "[-8, 0, 7] of 8 bits", long tables shortened.
std::string table_text(const std::vector<double>& values, int bitwidth);

}  // namespace detail
}  // namespace bitgrad
