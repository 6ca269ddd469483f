// What the tests of the kernels share.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::test {

/// Sets a number of threads for one scope.
struct ThreadsScope {
  explicit ThreadsScope(int n) : before(num_threads()) { set_num_threads(n); }
  ~ThreadsScope() { set_num_threads(before); }
  ThreadsScope(const ThreadsScope&) = delete;
  ThreadsScope& operator=(const ThreadsScope&) = delete;
  int before;
};

/// Chooses an instruction set for one scope.
struct IsaScope {
  explicit IsaScope(kernels::Isa isa) : before(kernels::active_isa()) { kernels::set_isa(isa); }
  ~IsaScope() { kernels::set_isa(before); }
  IsaScope(const IsaScope&) = delete;
  IsaScope& operator=(const IsaScope&) = delete;
  kernels::Isa before;
};

inline std::vector<kernels::Isa> available_isas() {
  std::vector<kernels::Isa> isas;
  for (const kernels::Isa isa : kernels::all_isas)
    if (kernels::isa_available(isa)) isas.push_back(isa);
  return isas;
}

/// Runs f under every available instruction set.
template <class F>
void for_each_isa(F&& f) {
  for (const kernels::Isa isa : available_isas()) {
    const IsaScope scope(isa);
    f();
  }
}

/// Runs f under every available instruction set, each with 1, 2, 3 and 7 threads.
template <class F>
void for_each_setting(F&& f) {
  for_each_isa([&] {
    for (const int threads : {1, 2, 3, 7}) {
      const ThreadsScope scope(threads);
      f();
    }
  });
}

/// Small whole numbers: sums of their products are exact in float, so that any order of summation must agree to the
/// bit.
template <class T = float>
std::vector<T> small_integers(Index size, unsigned seed, int lo = -4, int hi = 4) {
  std::mt19937 engine(seed);
  std::vector<T> values(static_cast<std::size_t>(size));
  for (T& value : values) value = static_cast<T>(lo + static_cast<int>(engine() % static_cast<unsigned>(hi - lo + 1)));
  return values;
}

/// Real numbers in [-range, range].
inline std::vector<float> reals(Index size, unsigned seed, float range = 1.0f) {
  std::mt19937 engine(seed);
  std::vector<float> values(static_cast<std::size_t>(size));
  for (float& value : values) value = range * (static_cast<float>(engine() % 2000001u) / 1000000.0f - 1.0f);
  return values;
}

/// True when both hold the same bits; the NaNs of both sides count as one. For long vectors: a failing CHECK(a == b)
/// prints them.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0 && !(a[i] != a[i] && b[i] != b[i])) return false;
  return true;
}

}  // namespace bitgrad::test
