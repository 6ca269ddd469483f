// What follows a convolution - batch normalization, clamp, fake quantization - in one pass over memory, and its
// gradients in one or, through batch statistics, two. The same bits as the kernels of batch_norm.hpp, elementwise.hpp
// and fake_quantize.hpp one after the other: values and gradients of x always; sums, which run over the rows of the
// normalization, where the number of channels divides 256, otherwise up to the rounding of double sums. For any number
// of threads and every instruction set.
#pragma once

#include <bitgrad/core/kernels/clamp.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>

namespace bitgrad::kernels {

/// batch_norm_forward() with the batch's statistics.
struct EpilogueNormalization {
  const float* mean;  ///< each [channels]
  const float* variance;
  float epsilon;
  const float* gamma;
  const float* beta;
};

/// The steps for [rows, channels], in this order; null pointers leave steps out.
struct EpilogueSteps {
  Index rows, channels;
  const EpilogueNormalization* normalization = nullptr;
  Clamp clamp = Clamp::none;
  const LevelGrid<float>* grid = nullptr;          ///< one set of parameters for the whole tensor
  StraightThrough mode = StraightThrough::masked;  ///< of the grid's gradient
};

void epilogue(const EpilogueSteps& steps, const float* x, float* y);

/// Where the gradients go; each pointer may be null.
struct EpilogueGradients {
  float* dx;
  Store store;    ///< of dx
  float* dgamma;  ///< added to
  float* dbeta;
};

/// Sums of the grid's parameters as fake_quantize_gradient() returns them, empty without a grid.
FakeQuantizeSums epilogue_gradient(const EpilogueSteps& steps, const float* x, const float* dy,
                                   const EpilogueGradients& gradients);

}  // namespace bitgrad::kernels
