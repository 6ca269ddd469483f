// The table of hot loops: one instance per instruction set, compiled from the same source (kernels.inc). Functions get raw
// pointers and work on one chunk in one thread; headers such as elementwise.hpp wrap them for everybody else. Only plain data
// and no inline functions here: an inline function compiled for AVX-512 could replace its baseline twin at link time.
#pragma once

#include <cstdint>

#include <bitgrad/core/kernels/geometry.hpp>

namespace bitgrad::kernels {

struct KernelTable {
  // Pooling: output rows [row_begin, row_end) counted through the batch, row = image * out_h + oh.
  void (*max_pool2d_forward)(const Pool2DGeometry*, Index row_begin, Index row_end, const float* x, float* y,
                             std::int32_t* argmax);
  void (*max_pool2d_gradient)(const Pool2DGeometry*, Index row_begin, Index row_end, const std::int32_t* argmax,
                              const float* dy, float* dx);
  void (*average_pool2d_forward)(const Pool2DGeometry*, Index row_begin, Index row_end, const float* x, float* y);
  void (*average_pool2d_gradient)(const Pool2DGeometry*, Index row_begin, Index row_end, const float* dy, float* dx);

  // Matrix products c += a * b, c (m, n), a (m, k), b (k, n), all dense; each element adds its products in the order of k.
  void (*matmul_float)(Index m, Index n, Index k, const float* a, const float* b, float* c);
  void (*matmul_int32)(Index m, Index n, Index k, const std::int32_t* a, const std::int32_t* b, std::int32_t* c);
};

extern const KernelTable base_kernels;
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;

/// The table of active_isa().
const KernelTable& table();

}  // namespace bitgrad::kernels
