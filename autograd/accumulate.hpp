// The one way in which gradients meet: they add.
#pragma once

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// target += addend, element by element, for tensors of one shape and floating dtype; throws ShapeError otherwise.
void add_into(Tensor& target, const Tensor& addend);

}  // namespace bitgrad
