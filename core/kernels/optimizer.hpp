// Update loops of the optimizers, for float and double, in the thread pool: the same bits under every instruction set.
#pragma once

#include <bitgrad/core/kernels/optimizer_step.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// One step of stochastic gradient descent on n elements; `velocity` starts at zero. Formula: SgdStep.
template <class T>
void sgd_update(Index n, const SgdStep& step, const T* gradient, T* velocity, T* parameter);

/// One step of Adam on n elements; `first` and `second`, the running moments, start at zero. Formula: AdamStep.
template <class T>
void adam_update(Index n, const AdamStep& step, const T* gradient, T* first, T* second, T* parameter);

}  // namespace bitgrad::kernels
