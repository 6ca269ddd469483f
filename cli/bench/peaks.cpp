// measure_peaks(): loops that do nothing but multiply-adds, or nothing but copy.
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include <bitgrad/cli/bench/machine.hpp>
#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Enough independent sums to hide the latency of two multiply-adders, few enough for the registers there are.
// Intrinsics, because bitgrad is built without contraction. The sums converge, so no speed is lost to infinities or
// denormal numbers.
constexpr int sums = 12;
constexpr float factor = 0.999F, addend = 0.5F;

__attribute__((target("avx512f"))) float multiply_add_avx512(Index rounds) {
  __m512 sum[sums];
  for (int i = 0; i < sums; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(factor), b = _mm512_set1_ps(addend);
  for (Index r = 0; r < rounds; ++r)
    for (int i = 0; i < sums; ++i) sum[i] = _mm512_fmadd_ps(sum[i], a, b);
  for (int i = 1; i < sums; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) float multiply_add_avx2(Index rounds) {
  __m256 sum[sums];
  for (int i = 0; i < sums; ++i) sum[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(factor), b = _mm256_set1_ps(addend);
  for (Index r = 0; r < rounds; ++r)
    for (int i = 0; i < sums; ++i) sum[i] = _mm256_fmadd_ps(sum[i], a, b);
  for (int i = 1; i < sums; ++i) sum[0] = _mm256_add_ps(sum[0], sum[i]);
  return _mm256_cvtss_f32(sum[0]);
}

float multiply_add_base(Index rounds) {
  __m128 sum[sums];
  for (int i = 0; i < sums; ++i) sum[i] = _mm_set1_ps(static_cast<float>(i));
  const __m128 a = _mm_set1_ps(factor), b = _mm_set1_ps(addend);
  for (Index r = 0; r < rounds; ++r)
    for (int i = 0; i < sums; ++i) sum[i] = _mm_add_ps(_mm_mul_ps(sum[i], a), b);
  for (int i = 1; i < sums; ++i) sum[0] = _mm_add_ps(sum[0], sum[i]);
  return _mm_cvtss_f32(sum[0]);
}

struct MultiplyAdd {
  float (*run)(Index rounds);
  int lanes;
};

MultiplyAdd multiply_add_of(kernels::Isa isa) {
  switch (isa) {
    case kernels::Isa::avx512_vnni:
    case kernels::Isa::avx512: return {multiply_add_avx512, 16};
    case kernels::Isa::avx2: return {multiply_add_avx2, 8};
    case kernels::Isa::base: break;
  }
  return {multiply_add_base, 4};
}

/// The shortest of the calls of `f` that `seconds` have room for, at least three.
template <class F>
double shortest(double seconds, F&& f) {
  double best = 1e300;
  const Clock::time_point begin = Clock::now();
  for (int i = 0; i < 3 || seconds_since(begin) < seconds; ++i) {
    const Clock::time_point start = Clock::now();
    f();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

double fma_gflops(double seconds) {
  constexpr Index rounds = 2000000;  // a few milliseconds
  const MultiplyAdd probe = multiply_add_of(kernels::active_isa());
  const Index chunks = num_threads();
  std::vector<float> results(static_cast<std::size_t>(chunks));
  const double best = shortest(seconds, [&] {
    parallel_for(chunks, 1, [&](Index begin, Index) { results[static_cast<std::size_t>(begin)] = probe.run(rounds); });
  });
  return 2.0 * static_cast<double>(chunks * rounds * sums * probe.lanes) / best / 1e9;
}

double copy_gb_per_s(double seconds) {
  constexpr Index bytes = Index{64} << 20, chunk = Index{1} << 20;
  const Tensor from = Tensor::full({bytes}, 1, DType::uint8);
  Tensor to = Tensor::zeros({bytes}, DType::uint8);
  const double best = shortest(seconds, [&] {
    parallel_for(bytes, chunk, [&](Index begin, Index end) {
      std::memcpy(to.data<std::uint8_t>() + begin, from.data<std::uint8_t>() + begin,
                  static_cast<std::size_t>(end - begin));
    });
  });
  return 2.0 * static_cast<double>(bytes) / best / 1e9;
}

}  // namespace

Peaks measure_peaks(double seconds) { return {fma_gflops(seconds / 2), copy_gb_per_s(seconds / 2)}; }

}  // namespace bitgrad::cli
