// Tensors with their axes in another order.
#pragma once

#include <span>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// Axis i of the result is axis axes[i] of the float32 or float64 tensor: NumPy's transpose(axes), copied. `axes` are
/// all axes of the tensor, from 0. Throws ShapeError for another dtype, ValueError naming `axes` unless each occurs
/// once.
Tensor permuted(const Tensor& tensor, std::span<const int> axes);

}  // namespace bitgrad
