#include <bitgrad/core/kernels/layer_norm.hpp>

#include <algorithm>

#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {
namespace {

/// Calls f(first row, number of rows) in the pool.
template <class F>
void for_rows(Index rows, Index width, F&& f) {
  if (width == 0) return;
  parallel_for(rows, std::max<Index>(1, elements_per_chunk / width),
               [&](Index begin, Index end) { f(begin, end - begin); });
}

}  // namespace

template <class T>
void layer_norm_forward(Index rows, Index width, double epsilon, const T* x, const T* gamma, const T* beta, T* y,
                        T* means, T* factors) {
  for_rows(rows, width, [&](Index first, Index count) {
    floating_table<T>().layer_norm(count, width, epsilon, x + first * width, gamma, beta, y + first * width,
                                   means + first, factors + first);
  });
}

template <class T>
void layer_norm_gradient(Index rows, Index width, const T* x, const T* means, const T* factors, const T* gamma,
                         const T* dy, Store store, T* dx) {
  for_rows(rows, width, [&](Index first, Index count) {
    const Index at = first * width;
    floating_table<T>().layer_norm_gradient(count, width, store == Store::add, x + at, means + first, factors + first,
                                            gamma, dy + at, dx + at);
  });
}

template <class T>
void layer_norm_gamma_gradient(Index rows, Index width, const T* x, const T* means, const T* factors, const T* dy,
                               T* dgamma) {
  const Scratch<T> products(std::max<Index>(1, rows * width));
  for_rows(rows, width, [&](Index first, Index count) {
    const Index at = first * width;
    floating_table<T>().layer_norm_products(count, width, x + at, means + first, factors + first, dy + at,
                                            products.data() + at);
  });
  add_column_sums(rows, width, static_cast<const T*>(products.data()), dgamma);
}

template void layer_norm_forward<float>(Index, Index, double, const float*, const float*, const float*, float*, float*,
                                        float*);
template void layer_norm_forward<double>(Index, Index, double, const double*, const double*, const double*, double*,
                                         double*, double*);
template void layer_norm_gradient<float>(Index, Index, const float*, const float*, const float*, const float*,
                                         const float*, Store, float*);
template void layer_norm_gradient<double>(Index, Index, const double*, const double*, const double*, const double*,
                                          const double*, Store, double*);
template void layer_norm_gamma_gradient<float>(Index, Index, const float*, const float*, const float*, const float*,
                                               float*);
template void layer_norm_gamma_gradient<double>(Index, Index, const double*, const double*, const double*,
                                                const double*, double*);

}  // namespace bitgrad::kernels
