#include <bitgrad/core/kernels/activations.hpp>

#include <bitgrad/core/kernels/elementwise_loops.hpp>

namespace bitgrad::kernels {

BITGRAD_UNARY(hyperbolic_tangent)
BITGRAD_UNARY(gelu)
BITGRAD_UNARY(hard_sigmoid)
BITGRAD_UNARY(hard_swish)
BITGRAD_GRADIENT(hyperbolic_tangent_gradient)
BITGRAD_GRADIENT(gelu_gradient)
BITGRAD_GRADIENT(hard_sigmoid_gradient)
BITGRAD_GRADIENT(hard_swish_gradient)

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

template <class T>
void power(Index n, double exponent, const T* x, T* y) {
  parallel_for(n, elements_per_chunk / 8,
               [&](Index begin, Index end) { floating_table<T>().power(end - begin, exponent, x + begin, y + begin); });
}

template <class T>
void power_gradient(Index n, double exponent, const T* x, const T* dy, Store store, T* dx) {
  parallel_for(n, elements_per_chunk / 8, [&](Index begin, Index end) {
    floating_table<T>().power_gradient(end - begin, exponent, store == Store::add, x + begin, dy + begin, dx + begin);
  });
}

template void power<float>(Index, double, const float*, float*);
template void power<double>(Index, double, const double*, double*);
template void power_gradient<float>(Index, double, const float*, const float*, Store, float*);
template void power_gradient<double>(Index, double, const double*, const double*, Store, double*);
template void leaky_relu<float>(Index, float, const float*, float*);
template void leaky_relu<double>(Index, double, const double*, double*);
template void leaky_relu_gradient<float>(Index, float, const float*, const float*, Store, float*);
template void leaky_relu_gradient<double>(Index, double, const double*, const double*, Store, double*);

}  // namespace bitgrad::kernels
