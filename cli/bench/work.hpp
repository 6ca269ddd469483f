// How much there is to do in an operation, from its shapes.
#pragma once

#include <bitgrad/autograd/operation_timer.hpp>

namespace bitgrad::cli {

/// Arithmetic and memory traffic.
struct Work {
  double flops = 0;  ///< of convolutions and matrix products, a multiply-add counted as two; 0 for everything else
  double bytes = 0;  ///< the least that has to move: every operand read once, every result written once

  Work& operator+=(const Work& other);
  friend Work operator*(double times, const Work& work) { return {times * work.flops, times * work.bytes}; }
};

/// Of one call. A product has the flops of its forward pass again for each of its two operands whose gradient is
/// wanted. Products are the operations whose name contains "conv2d" or "matmul", with the kernel or matrix as second
/// operand.
Work forward_work(const OperationTime& operation);
Work backward_work(const OperationTime& operation);

}  // namespace bitgrad::cli
