// What the tests of quantizers share.
#pragma once

#include <cmath>
#include <limits>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>
#include <bitgrad/core/tensor.hpp>
#include <bitgrad/quantizers/config.hpp>
#include <bitgrad/quantizers/registry.hpp>

namespace bitgrad::test {

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Sets a number of threads for one scope.
struct Threads {
  explicit Threads(int n) : before(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before); }
  int before;
};

/// Numbers from -spread to spread without a pattern, the same for the same seed.
inline Tensor scattered(const Shape& shape, std::uint64_t seed, double spread = 1) {
  Tensor result(shape);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (float& value : result.span<float>()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    value = static_cast<float>(spread * (static_cast<double>(state >> 11) / 4503599627370496.0 - 1));
  }
  return result;
}

inline Tensor row(std::initializer_list<float> values) {
  return Tensor::from(Shape{static_cast<Index>(values.size())}, values);
}

/// float64, as configurations hold them; per channel along the last axis of a weight of that rank, or of rank 0.
inline Tensor doubles(const std::vector<double>& values, int rank = 0) {
  std::vector<Index> extents(static_cast<std::size_t>(rank), 1);
  if (rank > 0) extents.back() = static_cast<Index>(values.size());
  return Tensor::from(Shape(std::span<const Index>(extents)), values);
}

struct Given {
  QuantizationMethod method = QuantizationMethod::SYMMETRIC;
  int bits = 4;
  std::vector<double> threshold = {};  // or:
  std::vector<double> min = {}, max = {};
  bool is_signed = true;
};

inline void fill(BaseQuantizerConfig& config, const Given& given, int rank) {
  config.method = given.method;
  config.n_bits = given.bits;
  if (!given.threshold.empty()) config.quantization_params["threshold"] = doubles(given.threshold, rank);
  if (!given.min.empty()) config.quantization_params["range_min"] = doubles(given.min, rank);
  if (!given.max.empty()) config.quantization_params["range_max"] = doubles(given.max, rank);
}

/// Per channel along the last axis when there are several thresholds or ranges.
inline TrainableQuantizerWeightsConfig weights_config(const Given& given, int rank = 1) {
  TrainableQuantizerWeightsConfig config;
  fill(config, given, rank);
  config.weights_per_channel_threshold = given.threshold.size() > 1 || given.min.size() > 1;
  return config;
}

inline TrainableQuantizerActivationConfig activation_config(const Given& given) {
  TrainableQuantizerActivationConfig config;
  fill(config, given, 0);
  config.quantization_params["is_signed"] = Tensor::scalar(given.is_signed, DType::float64);
  return config;
}

}  // namespace bitgrad::test
