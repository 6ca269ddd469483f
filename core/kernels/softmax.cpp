#include <bitgrad/core/kernels/softmax.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/kernels/rows.hpp>

namespace bitgrad::kernels {

template <class T>
void log_softmax(Index rows, Index width, const T* x, T* y) {
  if (width == 0) return;
  constexpr Index elements = 2048;  // some microseconds of exponentials
  parallel_for(rows, std::max<Index>(1, elements / width), [&](Index begin, Index end) {
    floating_table<T>().log_softmax(end - begin, width, x + begin * width, y + begin * width,
                                    [](double value) { return std::log(value); });
  });
}

template void log_softmax<float>(Index, Index, const float*, float*);
template void log_softmax<double>(Index, Index, const double*, double*);

}  // namespace bitgrad::kernels
