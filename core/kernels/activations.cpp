#include <bitgrad/core/kernels/activations.hpp>

#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {

// Thin wrappers: choose the table's loop, cut the work.
#define BITGRAD_ACTIVATION(name)                                                                                \
  template <class T>                                                                                            \
  void name(Index n, const T* x, T* y) {                                                                        \
    parallel_for(n, elements_per_chunk / 4,                                                                     \
                 [&](Index begin, Index end) { floating_table<T>().name(end - begin, x + begin, y + begin); }); \
  }                                                                                                             \
  template <class T>                                                                                            \
  void name##_gradient(Index n, const T* x, const T* dy, Store store, T* dx) {                                  \
    parallel_for(n, elements_per_chunk / 4, [&](Index begin, Index end) {                                       \
      floating_table<T>().name##_gradient(end - begin, store == Store::add, x + begin, dy + begin, dx + begin); \
    });                                                                                                         \
  }                                                                                                             \
  template void name<float>(Index, const float*, float*);                                                       \
  template void name<double>(Index, const double*, double*);                                                    \
  template void name##_gradient<float>(Index, const float*, const float*, Store, float*);                       \
  template void name##_gradient<double>(Index, const double*, const double*, Store, double*);

BITGRAD_ACTIVATION(hyperbolic_tangent)
BITGRAD_ACTIVATION(gelu)
BITGRAD_ACTIVATION(hard_sigmoid)
BITGRAD_ACTIVATION(hard_swish)

template <class T>
void leaky_relu(Index n, T slope, const T* x, T* y) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().leaky_relu(end - begin, slope, x + begin, y + begin);
  });
}

template <class T>
void leaky_relu_gradient(Index n, T slope, const T* x, const T* dy, Store store, T* dx) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().leaky_relu_gradient(end - begin, slope, store == Store::add, x + begin, dy + begin, dx + begin);
  });
}

template void leaky_relu<float>(Index, float, const float*, float*);
template void leaky_relu<double>(Index, double, const double*, double*);
template void leaky_relu_gradient<float>(Index, float, const float*, const float*, Store, float*);
template void leaky_relu_gradient<double>(Index, double, const double*, const double*, Store, double*);

}  // namespace bitgrad::kernels
