// Gradients of a trainable quantizer.
#pragma once

#include <vector>

#include <bitgrad/quantizers/trainable.hpp>

namespace bitgrad::conformance {

/// One training pass with a fixed positive gradient of the output: the output, the gradient of x, then that of every
/// trainable variable, in the dtype of x and the variables.
std::vector<Tensor> outputs_and_gradients(BaseTrainableQuantizer& quantizer, const Tensor& x);

}  // namespace bitgrad::conformance
