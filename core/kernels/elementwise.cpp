#include <bitgrad/core/kernels/elementwise.hpp>

#include <cmath>

#include <bitgrad/core/kernels/elementwise_loops.hpp>

namespace bitgrad::kernels {
namespace {

template <class T>
void run_rows(typename FloatingKernels<T>::BinaryRow loop, Index rows, Index channels, const T* x, const T* row, T* y) {
  const WideRow<T> wide(channels, row);
  const Index width = wide_row(channels);
  parallel_rows(rows, channels, [&](Index begin, Index count, Index column) {
    loop(count, width, x + begin, wide.data() + column, y + begin);
  });
}

/// For functions of the standard library, which has no vector forms. Chunks are smaller: such a function takes
/// nanoseconds.
template <class T, class F>
void run_scalar(Index n, const T* x, T* y, F f) {
  parallel_for(n, elements_per_chunk / 8, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) y[i] = f(x[i]);
  });
}

template <class T>
void add_to(T* sums, const std::vector<double>& values) {
  for (const double value : values) *sums++ += static_cast<T>(value);
}

}  // namespace

// Thin wrappers: choose the table's loop, cut the work.
#define BITGRAD_BINARY(name)                                            \
  template <class T>                                                    \
  void name(Index n, const T* a, const T* b, T* y) {                    \
    run<T>(floating_table<T>().name, n, a, b, y);                       \
  }                                                                     \
  template void name<float>(Index, const float*, const float*, float*); \
  template void name<double>(Index, const double*, const double*, double*);

#define BITGRAD_ROWS(name)                                                     \
  template <class T>                                                           \
  void name(Index rows, Index channels, const T* x, const T* row, T* y) {      \
    run_rows<T>(floating_table<T>().name, rows, channels, x, row, y);          \
  }                                                                            \
  template void name<float>(Index, Index, const float*, const float*, float*); \
  template void name<double>(Index, Index, const double*, const double*, double*);

#define BITGRAD_SCALAR(name, expression)                          \
  template <class T>                                              \
  void name(Index n, const T* x, T* y) {                          \
    run_scalar(n, x, y, [](T value) -> T { return expression; }); \
  }                                                               \
  template void name<float>(Index, const float*, float*);         \
  template void name<double>(Index, const double*, double*);

BITGRAD_BINARY(add)
BITGRAD_BINARY(subtract)
BITGRAD_BINARY(multiply)
BITGRAD_BINARY(divide)
BITGRAD_GRADIENT(relu_gradient)
BITGRAD_GRADIENT(relu6_gradient)
BITGRAD_GRADIENT(absolute_gradient)
BITGRAD_GRADIENT(square_root_gradient)
BITGRAD_GRADIENT(exponential_gradient)
BITGRAD_GRADIENT(logarithm_gradient)
BITGRAD_GRADIENT(sigmoid_gradient)
BITGRAD_GRADIENT(chosen_gradient)
BITGRAD_GRADIENT(rejected_gradient)
BITGRAD_ROWS(add_row)
BITGRAD_ROWS(subtract_row)
BITGRAD_ROWS(multiply_row)
BITGRAD_ROWS(divide_row)
BITGRAD_UNARY(relu)
BITGRAD_UNARY(absolute)
BITGRAD_UNARY(square_root)
BITGRAD_UNARY(exponential)
BITGRAD_UNARY(sigmoid)
BITGRAD_SCALAR(logarithm, std::log(value))

template <class T>
void scale(Index n, T factor, const T* x, T* y) {
  parallel_for(n, elements_per_chunk,
               [&](Index begin, Index end) { floating_table<T>().scale(end - begin, factor, x + begin, y + begin); });
}

template <class T>
void choose(Index n, const T* mask, const T* a, const T* b, T* y) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().choose(end - begin, mask + begin, a + begin, b + begin, y + begin);
  });
}

template <class T>
void clip(Index n, T lo, T hi, const T* x, T* y) {
  parallel_for(n, elements_per_chunk,
               [&](Index begin, Index end) { floating_table<T>().clip(end - begin, lo, hi, x + begin, y + begin); });
}

template <class T>
void clip_gradient(Index n, T lo, T hi, const T* x, const T* dy, Store store, T* dx) {
  parallel_for(n, elements_per_chunk, [&](Index begin, Index end) {
    floating_table<T>().clip_gradient(end - begin, lo, hi, store == Store::add, x + begin, dy + begin, dx + begin);
  });
}

template <class T>
void add_column_sums(Index rows, Index channels, const T* x, T* sums) {
  const auto totals = sum_rows<1>(rows, channels, [&](Index begin, Index count, Index width, double* partial) {
    floating_table<T>().column_sum(count, width, x + begin, partial);
  });
  add_to(sums, totals[0]);
}

template <class T>
void add_column_sums_of_product(Index rows, Index channels, const T* a, const T* b, T* sums) {
  const auto totals = sum_rows<1>(rows, channels, [&](Index begin, Index count, Index width, double* partial) {
    floating_table<T>().column_sum_product(count, width, a + begin, b + begin, partial);
  });
  add_to(sums, totals[0]);
}

#define BITGRAD_INSTANTIATE(T)                                                \
  template void scale<T>(Index, T, const T*, T*);                             \
  template void choose<T>(Index, const T*, const T*, const T*, T*);           \
  template void clip<T>(Index, T, T, const T*, T*);                           \
  template void clip_gradient<T>(Index, T, T, const T*, const T*, Store, T*); \
  template void add_column_sums<T>(Index, Index, const T*, T*);               \
  template void add_column_sums_of_product<T>(Index, Index, const T*, const T*, T*);
BITGRAD_INSTANTIATE(float)
BITGRAD_INSTANTIATE(double)

}  // namespace bitgrad::kernels
