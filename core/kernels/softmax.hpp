// log_softmax of rows, for float and double, in the thread pool: the same bits for any number of threads and, as far as
// the system's logarithm is the same, under every instruction set.
#pragma once

#include <bitgrad/core/shape.hpp>

namespace bitgrad::kernels {

/// y[r, c] = x[r, c] - log(sum over j of e^x[r, j]), x and y [rows, width], two buffers. Rows are shifted by their
/// largest element, so that nothing overflows; sums are taken in double, in order.
template <class T>
void log_softmax(Index rows, Index width, const T* x, T* y);

}  // namespace bitgrad::kernels
