// Requantization modes: whose roundings an inference graph computes with.
//
// What differs from the rules of graph.hpp, for codes q with grids (s, z), x in and y out. Fixed point is TFLite's
// QuantizeMultiplier: real = m / 2^31 * 2^e with m in [2^30, 2^31), rounded in float64.
//
//   mode         layers, accumulator acc               IntegerAdd                 IntegerGlobalAveragePool2D
//   ort          half_even(float(acc) * multiplier)    float32, fused             float32
//   xnnpack      as ort                                XnnpackAddition            XnnpackAverage
//   tflm_double  acc * fixed point, two roundings      TfliteAddition, likewise   sum * fixed point, likewise
//   single       acc * fixed point, one rounding       TfliteAddition, likewise   sum * fixed point, likewise
//   tflite_reference    dense layers as single, everything else as tflm_double
//
// IntegerAveragePool2D is, in all of them but ort, a depthwise convolution by ones whose scale is fl32(1 / pixels of
// the window), so that it rounds as the mode's convolutions do.
//
// Two roundings: floor((acc * 2^max(e, 0) * m + 2^30) / 2^31), then by 2^max(-e, 0) with halves away from zero
// (gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT). One rounding: floor((acc * m + half) /
// 2^(31-e)). Float32 results, concatenations and tables are the same in every mode.
// Source: tensorflow/lite/kernels/internal/common.h, quantization_util.cc, reference/add.h and reduce.h;
// XNNPACK's src/microparams-init.c.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// "ort", "xnnpack", "tflm_double", "single", "tflite_reference".
std::string_view name_of(RequantizationMode mode);
/// All of them, ort first.
std::span<const RequantizationMode> requantization_modes();
/// The mode of such a name; ValueError that lists the names for any other.
RequantizationMode requantization_mode(std::string_view name);

/// Makes the graph compute in that mode. NotImplementedError naming the tensor or node that the mode has no arithmetic
/// for, the graph as it was: activations of more than 8 bits in a mode other than ort; accumulators that the mode's
/// 32-bit products cannot hold; scales of a sum that are too far apart.
void set_requantization(InferenceGraph& graph, RequantizationMode mode);

/// What another mode does to the results of a graph.
struct ModeComparison {
  RequantizationMode mode{};
  std::string refused;  ///< why set_requantization() did not make it; empty: it did
  Index samples = 0;
  Index codes = 0;                ///< of all quantized tensors together
  Index differing = 0;            ///< codes that are not those of ort
  std::int32_t largest_step = 0;  ///< of a code
  Index argmaxes = 0;             ///< samples whose largest output is another one
};

/// Runs the images (float32 [n, input shape]) in every mode and compares every code with that of mode ort, which is
/// what the trained model's evaluation computes. Differences of early layers travel on to later ones.
std::vector<ModeComparison> compare_modes(const InferenceGraph& graph, const Tensor& images, Index batch = 250);

}  // namespace bitgrad
