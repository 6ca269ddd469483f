// Matrix products of row-major matrices over single-threaded OpenBLAS.
#pragma once

#include <string>

#include <bitgrad/core/shape.hpp>

namespace bitgrad {

enum class Transpose : bool { no, yes };

/// C = alpha * op(A) * op(B) + beta * C, where op(A) is m x k, op(B) is k x n and C is m x n. All three are row-major;
/// `lda`, `ldb` and `ldc` are the distances in elements between consecutive rows as they are stored. With beta == 0 the
/// old C is never read. Runs in the calling thread alone. The same call gives the same bytes; calls of another m, n or
/// k may round a common row differently, because OpenBLAS picks kernels by shape. The first call sets OpenBLAS to one
/// thread, for the whole process. Throws ShapeError when an extent is negative, a distance too small or anything
/// exceeds 2^31 - 1.
void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* a, Index lda,
          const float* b, Index ldb, float beta, float* c, Index ldc);
void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* a, Index lda,
          const double* b, Index ldb, double beta, double* c, Index ldc);

/// The same product, cut into blocks of rows of C that run in the thread pool. The cut depends on m, n and k only, so
/// that the result is the same bytes for any number of threads.
void parallel_gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* a, Index lda,
                   const float* b, Index ldb, float beta, float* c, Index ldc);
void parallel_gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* a, Index lda,
                   const double* b, Index ldb, double beta, double* c, Index ldc);

/// The processor family whose kernels OpenBLAS chose, e.g. "SkylakeX" or "Zen".
std::string blas_core_name();

/// A sentence for the user when OpenBLAS runs kernels far below what the processor offers (an unknown processor, or an
/// OPENBLAS_CORETYPE left over in the environment: up to five times slower), otherwise empty. Programs print it once.
std::string blas_warning();

}  // namespace bitgrad
