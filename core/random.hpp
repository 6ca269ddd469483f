// Random numbers that are the same on every platform, for any number of threads.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// The Philox4x32-10 block function of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
/// (SC 2011), table 2 and section 3.3: four random words as a pure function of a counter and a key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// A sequence of random words, chosen by (seed, stream); different streams of a seed are independent. The key is the
/// seed, the counter is (block, stream), so that any word is found without computing those before it. Besides + - * /
/// and sqrt nothing is used that a platform might round differently. Not thread-safe: one object per thread, or the
/// *_at functions.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  /// Another stream of the same seed: a function of seed, stream and id, not of the position.
  Random derive(std::uint64_t id) const;

  std::uint32_t next_u32();
  std::uint64_t next_u64();  ///< two words, the low half first

  /// [0, 1): float from the upper 24 bits of one word, double from the upper 53 bits of two.
  template <std::floating_point T = float>
  T uniform();
  /// [lo, hi). Throws ValueError unless lo < hi and both and their difference are finite.
  template <std::floating_point T>
  T uniform(T lo, T hi);

  /// Standard normal by the inverse distribution function: Wichura, "Algorithm AS 241" (PPND16), Applied Statistics 37
  /// (1988). Float takes one word (so |x| < 6.4), double takes two (|x| < 8.3).
  template <std::floating_point T = float>
  T normal();
  /// mean + stddev * normal(). Throws ValueError for a negative or non-finite stddev or a non-finite mean.
  template <std::floating_point T>
  T normal(T mean, T stddev);

  /// 0, 1, ..., n - 1 with exactly equal probability. Throws ValueError for n < 1.
  Index below(Index n);
  /// Fisher-Yates: every order with equal probability.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<Index>(i)))]);
  }
  /// 0 ... n - 1 in random order. Throws ValueError for n < 0.
  std::vector<Index> permutation(Index n);

  /// Fill a float32 or float64 tensor in parallel; the elements are those of as many calls of uniform(lo, hi) or
  /// normal(mean, stddev) with the tensor's type. Throws ShapeError for other dtypes, ValueError as those calls do.
  void fill_uniform(Tensor& tensor, double lo = 0, double hi = 1);
  void fill_normal(Tensor& tensor, double mean = 0, double stddev = 1);

  /// Words [first, first + out.size()) of (seed, stream), for parallel code such as dropout.
  static void words_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::span<std::uint32_t> out);
  /// What the i-th uniform<float>() of Random(seed, stream) returns, for i from `first` on.
  static void uniforms_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::span<float> out);
  /// The same for a single i: four times the cost per number.
  static float uniform_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t index);

  std::uint64_t seed() const { return seed_; }
  std::uint64_t stream() const { return stream_; }
  /// Words taken so far. Together with seed and stream it is the whole state.
  std::uint64_t position() const { return position_; }
  void set_position(std::uint64_t position) { position_ = position; }

  /// The state as text, "philox4x32-10:SEED:STREAM:POSITION", and back. from_state throws ValueError for any other
  /// text.
  std::string state() const;
  static Random from_state(std::string_view state);
  bool operator==(const Random& other) const {
    return seed_ == other.seed_ && stream_ == other.stream_ && position_ == other.position_;
  }

 private:
  template <std::floating_point T, class F>
  void fill(Tensor& tensor, F&& from_bits);

  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
  std::uint64_t cached_index_ = ~std::uint64_t{0};  // no block has this index: positions end at 2^64 words
  std::array<std::uint32_t, 4> cached_{};
};

template <>
float Random::uniform<float>();
template <>
double Random::uniform<double>();
template <>
float Random::normal<float>();
template <>
double Random::normal<double>();

}  // namespace bitgrad
