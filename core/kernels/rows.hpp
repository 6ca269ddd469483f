// What the wrappers of the hot loops share: choosing float or double, widening rows of parameters, fixed-order sums.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include <bitgrad/core/kernels/buffer.hpp>
#include <bitgrad/core/kernels/isa/table.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::kernels {

/// Elements per chunk of an elementwise loop: about 10 us of work.
inline constexpr Index elements_per_chunk = Index{1} << 15;

template <class T>
const FloatingKernels<T>& floating_table() {
  if constexpr (sizeof(T) == sizeof(float))
    return table().float32;
  else
    return table().float64;
}

/// Length of the rows that the loops see: short rows are taken several at a time, since a loop over 10 channels spends
/// its time starting and stopping. A multiple of `channels` (1 when there are none).
inline Index wide_row(Index channels) {
  constexpr Index enough = 256;
  return channels < 1 ? 1 : channels * chunk_count(enough, channels);
}

/// One value per channel, repeated up to wide_row(channels).
template <class T>
class WideRow {
 public:
  WideRow(Index channels, const T* values) : values_(values), scratch_(wide_row(channels)) {
    const Index width = wide_row(channels);
    if (channels < 1 || width == channels) return;
    for (Index at = 0; at < width; at += channels) std::copy_n(values, channels, scratch_.data() + at);
    values_ = scratch_.data();
  }
  const T* data() const { return values_; }

 private:
  const T* values_;
  Scratch<T> scratch_;
};

/// Calls f(begin, count, column) in the pool for pieces of [0, rows * channels): pieces begin at the start of a wide
/// row (column 0), or, when there is only one row, anywhere in it (column = begin).
template <class F>
void parallel_rows(Index rows, Index channels, F&& f) {
  const Index width = wide_row(channels);
  const Index n = rows * channels;
  const bool single = rows == 1;
  const Index grain = single ? elements_per_chunk : std::max<Index>(elements_per_chunk / width, 1) * width;
  parallel_for(n, grain, [&](Index begin, Index end) { f(begin, end - begin, single ? begin : 0); });
}

/// Sums over the columns of wide rows: f(begin, count, width, sums) adds `count` elements from `begin` on to `Sums`
/// rows of `width` = wide_row(channels) doubles each, sums + i * width. Chunks and their order depend on the extents
/// only. Returns the rows of sums one behind the other, at its beginning.
template <int Sums, class F>
Scratch<double> sum_wide_rows(Index rows, Index channels, F&& f) {
  const Index width = wide_row(channels);
  const Index n = rows * channels;
  const Index wide_rows = chunk_count(n, width);
  constexpr Index most_chunks = 32;
  const Index grain = std::max(chunk_count(elements_per_chunk, width), chunk_count(wide_rows, most_chunks));
  const Index chunks = chunk_count(wide_rows, grain);
  Scratch<double> partial(std::max<Index>(chunks, 1) * Sums * width);
  std::fill_n(partial.data(), Sums * width, 0.0);
  parallel_chunks(wide_rows, grain, [&](Index chunk, Index begin, Index end) {
    double* sums = partial.data() + chunk * Sums * width;
    std::fill_n(sums, Sums * width, 0.0);
    f(begin * width, std::min(end * width, n) - begin * width, width, sums);
  });
  double* total = partial.data();  // of the first chunk
  for (Index chunk = 1; chunk < chunks; ++chunk)
    for (Index i = 0; i < Sums * width; ++i) total[i] += total[chunk * Sums * width + i];
  return partial;
}

/// Columns of a wide row added up per channel, in order.
inline std::vector<double> fold_wide_row(Index width, Index channels, const double* sums) {
  std::vector<double> result(sums, sums + channels);
  for (Index at = channels; at > 0 && at < width; at += channels)
    for (Index c = 0; c < channels; ++c) result[static_cast<std::size_t>(c)] += sums[at + c];
  return result;
}

/// sum_wide_rows() per channel.
template <int Sums, class F>
std::array<std::vector<double>, Sums> sum_rows(Index rows, Index channels, F&& f) {
  const Index width = wide_row(channels);
  const Scratch<double> total = sum_wide_rows<Sums>(rows, channels, f);
  std::array<std::vector<double>, Sums> result;
  for (int sum = 0; sum < Sums; ++sum)
    result[static_cast<std::size_t>(sum)] = fold_wide_row(width, channels, total.data() + sum * width);
  return result;
}

}  // namespace bitgrad::kernels
