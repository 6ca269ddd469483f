#include <bitgrad/core/kernels/conv.hpp>

#include <algorithm>

#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/kernels/conv_blocks.hpp>
#include <bitgrad/core/kernels/isa/table.hpp>

namespace bitgrad::kernels {
namespace {

void forward_block(const Block& block, const float* x, const float* kernel, float* y, float* scratch) {
  const Conv2DGeometry& g = block.g;
  const Index k = window_size(g);
  gemm(Transpose::no, Transpose::no, block.pixels(), g.out_c, k, 1.0f, windows(block, x, scratch), k, kernel, g.out_c, 0.0f,
       y + block.first_pixel() * g.out_c, g.out_c);
}

void data_gradient_block(const Block& block, const float* dy, const float* kernel, float* dx, float* scratch) {
  const Conv2DGeometry& g = block.g;
  const Index k = window_size(g);
  const bool direct = is_pointwise(g);
  gemm(Transpose::no, Transpose::yes, block.pixels(), k, g.out_c, 1.0f, dy + block.first_pixel() * g.out_c, g.out_c, kernel,
       g.out_c, direct ? 1.0f : 0.0f, direct ? dx + block.first_pixel() * k : scratch, k);
  if (!direct) add_col2im(g, scratch, block.begin, block.end, dx);
}

void kernel_gradient_block(const Block& block, const float* x, const float* dy, float beta, float* dkernel, float* scratch) {
  const Conv2DGeometry& g = block.g;
  const Index k = window_size(g);
  gemm(Transpose::yes, Transpose::no, k, g.out_c, block.pixels(), 1.0f, windows(block, x, scratch), k,
       dy + block.first_pixel() * g.out_c, g.out_c, beta, dkernel, g.out_c);
}

}  // namespace

void conv2d_forward(const Conv2DGeometry& g, const float* x, const float* kernel, float* y) {
  parallel_blocks<float>(g, [&](const Block& block, float* scratch) { forward_block(block, x, kernel, y, scratch); });
}

void conv2d_data_gradient(const Conv2DGeometry& g, const float* dy, const float* kernel, float* dx) {
  // Windows of neighbouring rows overlap in the input, so one image is one thread's.
  const Index rows = rows_per_block(g);
  const Index grain = std::max<Index>(chunk_work / (g.out_h * row_work(g)), 1);
  parallel_for(g.batch, grain, [&](Index begin, Index end) {
    const Scratch<float> scratch(scratch_size(g, rows));
    for (Index image_row = begin * g.out_h; image_row < end * g.out_h; image_row += g.out_h)
      for (Index row = 0; row < g.out_h; row += rows)
        data_gradient_block({g, image_row + row, image_row + std::min(row + rows, g.out_h)}, dy, kernel, dx, scratch.data());
  });
}

void conv2d_kernel_gradient(const Conv2DGeometry& g, const float* x, const float* dy, float* dkernel) {
  const Index all_rows = g.batch * g.out_h;
  const Index size = window_size(g) * g.out_c;
  // At most 16 partial sums, fewer for large kernels: they are memory of their own.
  const Index most_chunks = std::clamp<Index>((Index{1} << 22) / size, 2, 16);
  const Index rows_per_chunk = std::max(chunk_count(all_rows, most_chunks), chunk_count(chunk_work, row_work(g)));
  const Index rows = std::clamp<Index>(matrix_elements / (g.out_w * window_size(g)), 1, rows_per_chunk);
  const Index chunks = chunk_count(all_rows, rows_per_chunk);
  const Scratch<float> partial(chunks * size);
  parallel_chunks(all_rows, rows_per_chunk, [&](Index chunk, Index begin, Index end) {
    const Scratch<float> scratch(scratch_size(g, rows));
    for (Index row = begin; row < end; row += rows)
      kernel_gradient_block({g, row, std::min(row + rows, end)}, x, dy, row == begin ? 0.0f : 1.0f,
                            partial.data() + chunk * size, scratch.data());
  });
  parallel_for(size, Index{1} << 14, [&](Index begin, Index end) {
    for (Index chunk = 0; chunk < chunks; ++chunk)
      for (Index i = begin; i < end; ++i) dkernel[i] += partial.data()[chunk * size + i];
  });
}

void dense_forward(Index rows, Index in, Index out, const float* x, const float* weights, float* y) {
  const Index grain = std::max<Index>(chunk_work / std::max<Index>(in * out, 1), 4);
  parallel_for(rows, grain, [&](Index begin, Index end) {
    std::fill(y + begin * out, y + end * out, 0.0f);
    table().matmul_float(end - begin, out, in, x + begin * in, weights, y + begin * out);
  });
}

}  // namespace bitgrad::kernels
