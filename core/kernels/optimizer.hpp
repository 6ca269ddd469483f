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

/// One step of RMSprop on n elements; `second`, the running mean of squares, and `velocity` start at zero. Formula:
/// RmspropStep.
template <class T>
void rmsprop_update(Index n, const RmspropStep& step, const T* gradient, T* second, T* velocity, T* parameter);

/// average += share * (x - average), the share rounded to T: one step of an exponential moving average.
template <class T>
void average_update(Index n, double share, const T* x, T* average);

}  // namespace bitgrad::kernels
