// Requantization modes: whose roundings an inference graph computes with.
//
// What differs from the rules of graph.hpp, for codes q with grids (s, z, lo), operands a and b or x, result y. Every
// result is clamped after z_y has been added. F(x, r) is the whole number x times the number r in fixed point.
//
//   mode              layers                                IntegerAdd   IntegerGlobalAveragePool2D
//   ort               half_even(float(acc) * multiplier)    graph.hpp    graph.hpp
//   xnnpack           as ort                                (1)          (3)
//   tflm_double       F(acc, s_x * s_w / s_y)               (2)          (4)    F with two roundings
//   single            F(acc, s_x * s_w / s_y)               (2)          (4)    F with one rounding
//   tflite_reference  dense layers as single, everything else as tflm_double
//
//   (1)  floor(((q_a - z_a) * m_a + (q_b - z_b) * m_b + 2^(k-1)) / 2^k): multipliers of 21 bits, halves up. Of each
//        operand m = half_even(fl32(s / s_y) * 2^k), with the k that puts the larger fl32(s / s_y) * 2^k into
//        [2^20, 2^21)
//   (2)  F(F((q_a - z_a) * 2^20, s_a / t) + F((q_b - z_b) * 2^20, s_b / t), t / (2^20 * s_y)), t = 2 * max(s_a, s_b)
//   (3)  half_even(float(sum of u_x) * r + (u0_y - float(n * u0_x) * r)) - u0_y of n pixels, all float32: codes as int8
//        has them, u = q - lo - 128, and u0 the same of z; r = fl32(fl32(s_x / s_y) * fl32(1 / n))
//   (4)  F(sum of (q_x - z_x), s_x / s_y) with floor(m * 2^k / n) for m and e - k for e, k = min(floor(log2 n), 31 + e)
//
// IntegerAveragePool2D is, in all of them but ort, a depthwise convolution by ones whose scale is fl32(1 / pixels of
// the window), so that it rounds as the mode's convolutions do.
//
// Fixed point is TFLite's QuantizeMultiplier: r = m / 2^31 * 2^e with m in [2^30, 2^31), computed in float64 (but s_x *
// s_w in float32 in dense layers with one scale), and 0 for e below -31. Two roundings: floor((x * 2^max(e, 0) * m +
// 2^30) / 2^31), then by 2^max(-e, 0) with halves away from zero (gemmlowp's SaturatingRoundingDoublingHighMul and
// RoundingDivideByPOT). One rounding: floor((x * m + 2^(30-e)) / 2^(31-e)). Float32 results, concatenations and tables
// are the same in every mode.
// Source: tensorflow/lite/kernels/internal/common.h, quantization_util.cc, reference/add.h and reduce.h;
// XNNPACK's src/microparams-init.c.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad {

/// "ort", "xnnpack", "tflm_double", "single", "tflite_reference". ValueError for a number that is none of them.
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
/// what the trained model's evaluation computes. Differences of early layers travel on to later ones. A mode without
/// arithmetic for the graph is no error: its entry says why. ValueError for a batch below 1; else as
/// InferenceSession::run_all().
std::vector<ModeComparison> compare_modes(const InferenceGraph& graph, const Tensor& images, Index batch = 250);

}  // namespace bitgrad
