#include <bitgrad/core/gemm.hpp>

#include <cblas.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad {
namespace {

/// Our own pool cuts the work; two pools on the same cores only fight.
void make_blas_single_threaded() {
  static const bool done = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

struct Product {
  Transpose a_op, b_op;
  Index m, n, k, lda, ldb, ldc;
};

void check(const Product& p) {
  constexpr Index most = std::numeric_limits<blasint>::max();
  for (const Index extent : {p.m, p.n, p.k, p.lda, p.ldb, p.ldc})
    if (extent < 0 || extent > most) fail<ShapeError>("gemm: extent ", extent, " is outside 0 to ", most);
  const Index a_width = p.a_op == Transpose::no ? p.k : p.m;
  const Index b_width = p.b_op == Transpose::no ? p.n : p.k;
  if (p.lda < a_width || p.ldb < b_width || p.ldc < p.n)
    fail<ShapeError>("gemm: row distances ", p.lda, ", ", p.ldb, ", ", p.ldc, " are smaller than the rows of ", a_width,
                     ", ", b_width, ", ", p.n, " elements");
}

CBLAS_TRANSPOSE to_cblas(Transpose op) { return op == Transpose::no ? CblasNoTrans : CblasTrans; }

/// BLAS wants distances of at least 1 even where a matrix is empty.
blasint narrow(Index value) { return static_cast<blasint>(value); }
blasint distance(Index value) { return narrow(std::max<Index>(value, 1)); }

void call_blas(const Product& p, float alpha, const float* a, const float* b, float beta, float* c) {
  cblas_sgemm(CblasRowMajor, to_cblas(p.a_op), to_cblas(p.b_op), narrow(p.m), narrow(p.n), narrow(p.k), alpha, a,
              distance(p.lda), b, distance(p.ldb), beta, c, distance(p.ldc));
}

void call_blas(const Product& p, double alpha, const double* a, const double* b, double beta, double* c) {
  cblas_dgemm(CblasRowMajor, to_cblas(p.a_op), to_cblas(p.b_op), narrow(p.m), narrow(p.n), narrow(p.k), alpha, a,
              distance(p.lda), b, distance(p.ldb), beta, c, distance(p.ldc));
}

template <class T>
void run(const Product& p, T alpha, const T* a, const T* b, T beta, T* c) {
  check(p);
  if (p.m == 0 || p.n == 0) return;
  make_blas_single_threaded();
  call_blas(p, alpha, a, b, beta, c);
}

template <class T>
void run_parallel(const Product& p, T alpha, const T* a, const T* b, T beta, T* c) {
  check(p);
  constexpr Index work_per_chunk = Index{1} << 21;  // multiply-adds: some tens of microseconds
  constexpr Index row_step = 16;                    // rows of a register tile
  const Index per_row = std::max<Index>(p.n * p.k, 1);
  const Index rows = chunk_count(std::max<Index>(work_per_chunk / per_row, 1), row_step) * row_step;
  parallel_for(p.m, rows, [&](Index begin, Index end) {
    Product part = p;
    part.m = end - begin;
    run(part, alpha, a + (p.a_op == Transpose::no ? begin * p.lda : begin), b, beta, c + begin * p.ldc);
  });
}

}  // namespace

void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* a, Index lda,
          const float* b, Index ldb, float beta, float* c, Index ldc) {
  run({a_op, b_op, m, n, k, lda, ldb, ldc}, alpha, a, b, beta, c);
}

void gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* a, Index lda,
          const double* b, Index ldb, double beta, double* c, Index ldc) {
  run({a_op, b_op, m, n, k, lda, ldb, ldc}, alpha, a, b, beta, c);
}

void parallel_gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, float alpha, const float* a, Index lda,
                   const float* b, Index ldb, float beta, float* c, Index ldc) {
  run_parallel({a_op, b_op, m, n, k, lda, ldb, ldc}, alpha, a, b, beta, c);
}

void parallel_gemm(Transpose a_op, Transpose b_op, Index m, Index n, Index k, double alpha, const double* a, Index lda,
                   const double* b, Index ldb, double beta, double* c, Index ldc) {
  run_parallel({a_op, b_op, m, n, k, lda, ldb, ldc}, alpha, a, b, beta, c);
}

std::string blas_core_name() { return openblas_get_corename(); }

std::string blas_warning() {
  const std::string core = blas_core_name();
  constexpr std::array<std::string_view, 3> avx512_cores = {"SkylakeX", "Cooperlake", "SapphireRapids"};
  constexpr std::array<std::string_view, 3> avx2_cores = {"Haswell", "Zen", "Excavator"};
  const auto contains = [&](const auto& names) { return std::find(names.begin(), names.end(), core) != names.end(); };
  const bool runs_avx512 = contains(avx512_cores);
  const bool runs_avx2 = runs_avx512 || contains(avx2_cores);
  std::string_view offered;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && !runs_avx512) offered = "AVX-512";
  if (__builtin_cpu_supports("avx2") && !runs_avx2) offered = "AVX2";
  if (offered.empty()) return {};
  return message("OpenBLAS runs its ", core, " kernels although this processor offers ", offered,
                 "; matrix products will be slow. Unset OPENBLAS_CORETYPE, or install a newer OpenBLAS.");
}

}  // namespace bitgrad
