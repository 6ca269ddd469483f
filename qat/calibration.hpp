// Starting values of quantizers from data.
#pragma once

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/qat/quantizer_spec.hpp>
#include <bitgrad/quantizers/config.hpp>

namespace bitgrad {

/// Starting parameters of the quantizer of `weight` (float32, output channels last) by spec.calibration, mse when it is
/// empty: threshold, or range_min and range_max, shaped [1, ..., channels] per channel and [1] per tensor. Searches go
/// over fractions of the largest magnitude (or of the range); for POWER_OF_TWO over powers of two. Formulas:
/// docs/quantization.md. A channel of zeros gets threshold 1. Throws ValueError when there are no values or one is not
/// finite, naming its position; so do the functions below.
QuantizationParams calibrate_weights(const Tensor& weight, const QuantizerSpec& spec);

/// The same for a sample of activation values. `nonnegative`: the operation that produces them cannot give values below
/// zero, so that the grid is unsigned ("is_signed" is 0).
QuantizationParams calibrate_activations(const Tensor& sample, const QuantizerSpec& spec, bool nonnegative);

/// The whole observed range on the grid, its end on the last code (minmax; a power of two is chosen by mse instead):
/// for the model's input, which shall lose nothing.
QuantizationParams full_range(const Tensor& sample, const QuantizerSpec& spec, bool nonnegative);

}  // namespace bitgrad
