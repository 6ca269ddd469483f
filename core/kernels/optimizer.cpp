#include <bitgrad/core/kernels/optimizer.hpp>

#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {

template <class T>
void sgd_update(Index n, const SgdStep& step, const T* gradient, T* velocity, T* parameter) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().sgd_update(end - begin, &step, gradient + begin, velocity + begin, parameter + begin);
  });
}

template <class T>
void adam_update(Index n, const AdamStep& step, const T* gradient, T* first, T* second, T* parameter) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().adam_update(end - begin, &step, gradient + begin, first + begin, second + begin,
                                    parameter + begin);
  });
}

template <class T>
void rmsprop_update(Index n, const RmspropStep& step, const T* gradient, T* second, T* velocity, T* parameter) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().rmsprop_update(end - begin, &step, gradient + begin, second + begin, velocity + begin,
                                       parameter + begin);
  });
}

template <class T>
void average_update(Index n, double share, const T* x, T* average) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().average_update(end - begin, share, x + begin, average + begin);
  });
}

template void sgd_update<float>(Index, const SgdStep&, const float*, float*, float*);
template void sgd_update<double>(Index, const SgdStep&, const double*, double*, double*);
template void adam_update<float>(Index, const AdamStep&, const float*, float*, float*, float*);
template void adam_update<double>(Index, const AdamStep&, const double*, double*, double*, double*);
template void rmsprop_update<float>(Index, const RmspropStep&, const float*, float*, float*, float*);
template void rmsprop_update<double>(Index, const RmspropStep&, const double*, double*, double*, double*);
template void average_update<float>(Index, double, const float*, float*);
template void average_update<double>(Index, double, const double*, double*);

}  // namespace bitgrad::kernels
