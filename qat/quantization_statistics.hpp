// What quantization does to the tensors of a model, in numbers and histograms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <bitgrad/layers/model.hpp>

namespace bitgrad {

/// Counts in bins of equal width from `low` to `high`.
struct Histogram {
  double low = 0, high = 0;
  std::vector<std::int64_t> counts;
};

/// The SQNR of a tensor that loses nothing, in dB.
inline constexpr double lossless_sqnr = 999;

/// A tensor before and after its quantizer. Positions are in steps of the grid, x / scale + zero_point, where every
/// channel's levels are the whole numbers of its codes; for look-up tables x / scale, where they are the entries.
struct QuantizedTensor {
  std::string tensor;     ///< "conv1/kernel", "relu1/out"
  std::string quantizer;  ///< class of the frozen quantizer
  bool weights = false;   ///< a weight; else an activation
  int bits = 0;
  bool per_channel = false;
  double minimum = 0, maximum = 0;  ///< of the float values
  double low = 0, high = 0;         ///< least and greatest value on the grid, over all channels
  double clipped = 0;  ///< share of the values that lie beyond the outermost level by more than half a step, in [0, 1]
  double sqnr = 0;     ///< dB: 10 log10(sum x^2 / sum (x - q)^2), or lossless_sqnr
  std::vector<double>
      levels;               ///< positions of the levels in ascending order, where there are at most 64; else the ends
  Histogram before, after;  ///< of positions
};

/// One entry per quantizer of a model, trainable or frozen: weights in order of execution, then activations, measured
/// in evaluation mode on `images` (float32 [n, input shape]). Quantizers without grid or table are left out. ShapeError
/// as Model::forward().
std::vector<QuantizedTensor> quantization_statistics(const Model& model, const Tensor& images);

}  // namespace bitgrad
