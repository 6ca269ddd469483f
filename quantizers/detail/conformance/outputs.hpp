// Checks of a function from floats to quantized floats, be it frozen or in training.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <bitgrad/quantizers/detail/conformance/probe.hpp>
#include <bitgrad/quantizers/detail/conformance/recorder.hpp>

namespace bitgrad::conformance {

/// A quantizer in one state.
struct Quantization {
  std::function<Tensor(const Tensor&)> values;  ///< quantizes a float32 tensor
  Ruler ruler;
  int rank = 3;
  int bits = 8;
  std::string state;  ///< for messages: "variables 1.07 times their start: "; may be empty
  std::uint64_t seed = 1;
};

/// The output itself; ShapeError unless it has the shape and dtype of the input.
Tensor require_like(Tensor y, const Tensor& x);

/// channel_axis, side_effects, monotonicity, idempotence, zero, levels, special_values.
void check_outputs(const Quantization& quantization, Recorder& recorder);

/// threads: of the values and of whatever else `more` computes from the probe (gradients, codes).
void check_threads(const Quantization& quantization, std::span<const int> threads,
                   const std::function<std::vector<Tensor>(const Tensor&)>& outputs, Recorder& recorder);

}  // namespace bitgrad::conformance
