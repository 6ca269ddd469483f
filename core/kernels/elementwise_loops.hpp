// What the wrappers of elementwise loops share: cutting the work for the pool, and definitions by the loop's name.
#pragma once

#include <bitgrad/core/kernels/rows.hpp>
#include <bitgrad/core/kernels/store.hpp>

namespace bitgrad::kernels {

template <class T>
void run(typename FloatingKernels<T>::Binary loop, Index n, const T* a, const T* b, T* y) {
  parallel_for(n, elements_per_chunk,
               [&](Index begin, Index end) { loop(end - begin, a + begin, b + begin, y + begin); });
}

template <class T>
void run(typename FloatingKernels<T>::Unary loop, Index n, const T* x, T* y) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) { loop(end - begin, x + begin, y + begin); });
}

template <class T>
void run_gradient(typename FloatingKernels<T>::Gradient loop, Index n, const T* x, const T* dy, Store store, T* dx) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    loop(end - begin, store == Store::add, x + begin, dy + begin, dx + begin);
  });
}

}  // namespace bitgrad::kernels

/// name(n, x, y) for float and double.
#define BITGRAD_UNARY(name)                               \
  template <class T>                                      \
  void name(Index n, const T* x, T* y) {                  \
    run<T>(floating_table<T>().name, n, x, y);            \
  }                                                       \
  template void name<float>(Index, const float*, float*); \
  template void name<double>(Index, const double*, double*);

/// name(n, x, dy, store, dx) for float and double.
#define BITGRAD_GRADIENT(name)                                                 \
  template <class T>                                                           \
  void name(Index n, const T* x, const T* dy, Store store, T* dx) {            \
    run_gradient<T>(floating_table<T>().name, n, x, dy, store, dx);            \
  }                                                                            \
  template void name<float>(Index, const float*, const float*, Store, float*); \
  template void name<double>(Index, const double*, const double*, Store, double*);
