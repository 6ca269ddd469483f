#include <bitgrad/core/kernels/pool.hpp>

#include <algorithm>

#include <bitgrad/core/kernels/isa/table.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::kernels {
namespace {

constexpr Index chunk_work = Index{1} << 15;  // elements read

Index row_work(const Pool2DGeometry& g) { return g.out_w * g.k_h * g.k_w * g.channels; }

/// Calls f(row_begin, row_end) in the pool for output rows of the whole batch.
template <class F>
void for_rows(const Pool2DGeometry& g, F&& f) {
  parallel_for(g.batch * g.out_h, std::max<Index>(chunk_work / row_work(g), 1), f);
}

/// The same, but a whole image at a time, since windows may overlap where gradients are added. Their part of dx is set
/// to zero just before, while it is in the cache.
template <class F>
void for_images(const Pool2DGeometry& g, Store store, float* dx, F&& f) {
  const Index image = g.in_h * g.in_w * g.channels;
  parallel_for(g.batch, std::max<Index>(chunk_work / (g.out_h * row_work(g)), 1), [&](Index begin, Index end) {
    if (store == Store::overwrite) std::fill(dx + begin * image, dx + end * image, 0.0f);
    f(begin * g.out_h, end * g.out_h);
  });
}

}  // namespace

void max_pool2d_forward(const Pool2DGeometry& g, const float* x, float* y, std::int32_t* argmax) {
  for_rows(g, [&](Index begin, Index end) { table().max_pool2d_forward(&g, begin, end, x, y, argmax); });
}

void max_pool2d_gradient(const Pool2DGeometry& g, const std::int32_t* argmax, const float* dy, Store store, float* dx) {
  for_images(g, store, dx,
             [&](Index begin, Index end) { table().max_pool2d_gradient(&g, begin, end, argmax, dy, dx); });
}

void average_pool2d_forward(const Pool2DGeometry& g, const float* x, float* y) {
  for_rows(g, [&](Index begin, Index end) { table().average_pool2d_forward(&g, begin, end, x, y); });
}

void average_pool2d_gradient(const Pool2DGeometry& g, const float* dy, Store store, float* dx) {
  for_images(g, store, dx, [&](Index begin, Index end) { table().average_pool2d_gradient(&g, begin, end, dy, dx); });
}

}  // namespace bitgrad::kernels
