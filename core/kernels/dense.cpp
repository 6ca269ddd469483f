#include <bitgrad/core/kernels/dense.hpp>

#include <algorithm>

#include <bitgrad/core/kernels/isa/table.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::kernels {

void dense_forward(Index rows, Index in, Index out, const float* x, const float* weights, float* y) {
  constexpr Index chunk_work = Index{1} << 20;  // multiply-adds that are worth a chunk of their own
  const Index grain = std::max<Index>(chunk_work / std::max<Index>(in * out, 1), 4);
  parallel_for(rows, grain, [&](Index begin, Index end) {
    std::fill(y + begin * out, y + end * out, 0.0f);
    table().matmul_float(end - begin, out, in, x + begin * in, weights, y + begin * out);
  });
}

}  // namespace bitgrad::kernels
