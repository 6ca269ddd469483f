// How two codes are added. Plain data: the kernel sources compiled per instruction set include this file.
#pragma once

#include <cstdint>

namespace bitgrad::kernels {

/// y = clamp(half_even(fma(a + zero_a, ratio_a, fma(b + zero_b, ratio_b, constant))), lo, hi) - zero_y, all float32 but
/// the last step: the sum of ONNX Runtime's QLinearAdd, for codes with the zero point taken off. lo and hi are whole
/// numbers of at most 2^20 in magnitude.
struct CodeAddition {
  float zero_a = 0, ratio_a = 0;
  float zero_b = 0, ratio_b = 0;
  float constant = 0;
  float lo = 0, hi = 0;
  std::int32_t zero_y = 0;
};

}  // namespace bitgrad::kernels
