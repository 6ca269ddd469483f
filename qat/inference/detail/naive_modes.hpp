// The requantization modes once more, for the naive executor: from the definitions in requantization.hpp, sharing
// nothing with the engines. Results are codes minus the zero point of y.
#pragma once

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// True for the modes whose layers multiply in fixed point.
bool naive_fixed_point(RequantizationMode mode);

/// A layer's accumulator of one output channel, in such a mode.
std::int64_t naive_mode_result(RequantizationMode mode, const IntegerWeights& weights, const Grid& x, const Grid& y,
                               std::int64_t accumulator, std::size_t channel);

/// Sums of two codes, in any mode but ort.
class NaiveModeSum {
 public:
  NaiveModeSum(RequantizationMode mode, const Grid& a, const Grid& b, const Grid& y)
      : mode_(mode), a_(a), b_(b), y_(y) {}
  std::int64_t operator()(std::int32_t a, std::int32_t b) const;

 private:
  RequantizationMode mode_;
  const Grid &a_, &b_, &y_;
};

/// The average of `pixels` codes minus zero points, of which `sum` is given, in any mode but ort.
std::int64_t naive_mode_average(RequantizationMode mode, const Grid& x, const Grid& y, std::int64_t sum, Index pixels);
/// The same of a window of a pooling.
std::int64_t naive_mode_window(RequantizationMode mode, const Grid& x, const Grid& y, std::int64_t sum, Index pixels);

}  // namespace bitgrad::inference
