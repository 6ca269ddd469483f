// Convolution cut into matrix products: blocks of output rows, and the windows that belong to them.
#pragma once

#include <algorithm>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/im2col.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::kernels {

inline constexpr Index matrix_elements = Index{1} << 17;  ///< an im2col matrix of 512 KiB stays in a second-level cache
inline constexpr Index chunk_work = Index{1} << 20;       ///< multiply-adds that are worth a chunk of their own

/// Multiply-adds of one output row.
inline Index row_work(const Conv2DGeometry& g) { return g.out_w * window_size(g) * g.out_c; }

/// Output rows of one image per matrix product. Depends on the image's extents, never on the batch.
inline Index rows_per_block(const Conv2DGeometry& g) {
  const Index most = std::clamp<Index>(matrix_elements / (g.out_w * window_size(g)), 1, g.out_h);
  return chunk_count(g.out_h, chunk_count(g.out_h, most));
}

/// A block of output rows, counted through the whole batch.
struct Block {
  const Conv2DGeometry& g;
  Index begin, end;

  Index pixels() const { return (end - begin) * g.out_w; }
  Index first_pixel() const { return begin * g.out_w; }
};

/// Elements of scratch that window_matrix() needs for `rows` output rows.
inline Index scratch_size(const Conv2DGeometry& g, Index rows) {
  return is_pointwise(g) ? 1 : rows * g.out_w * window_size(g);
}

/// The windows of a block as a matrix of pixels() x window_size: the input itself where it serves, else `scratch`.
template <class T>
const T* window_matrix(const Block& block, const T* x, T* scratch) {
  if (is_pointwise(block.g)) return x + block.first_pixel() * block.g.in_c;
  im2col(block.g, x, block.begin, block.end, scratch);
  return scratch;
}

/// Calls f(block, scratch) in the pool for all blocks, each within one image, cut alike in every image.
template <class T, class F>
void parallel_blocks(const Conv2DGeometry& g, F&& f) {
  const Index rows = rows_per_block(g);
  const Index blocks = chunk_count(g.out_h, rows);  // per image
  const Index grain = std::max<Index>(chunk_work / (rows * row_work(g)), 1);
  parallel_for(g.batch * blocks, grain, [&](Index begin, Index end) {
    const Scratch<T> scratch(scratch_size(g, rows));
    for (Index i = begin; i < end; ++i) {
      const Index first = i / blocks * g.out_h + i % blocks * rows;
      f(Block{g, first, std::min(first + rows, (i / blocks + 1) * g.out_h)}, scratch.data());
    }
  });
}

}  // namespace bitgrad::kernels
