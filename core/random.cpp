#include <bitgrad/core/random.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include <bitgrad/core/detail/normal_quantile.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view engine_name = "philox4x32-10";
constexpr std::uint64_t derive_tag = 0x6465726976650000;  // keeps derived stream ids apart from the numbers themselves
constexpr Index fill_grain = 1 << 14;

constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }
constexpr std::uint64_t join(std::uint32_t lo, std::uint32_t hi) { return std::uint64_t{hi} << 32 | lo; }

std::array<std::uint32_t, 4> block_of(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return philox4x32({low(index), high(index), low(stream), high(stream)}, {low(seed), high(seed)});
}

/// Random bits of one number: one word for float, two for double.
template <class T>
using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

/// [0, 1) from the upper 24 or 53 bits, exactly.
float unit(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }
double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

/// lo + (hi - lo) u may round up to hi, which is outside the range.
template <class T>
T scale_unit(T lo, T hi, T u) {
  const T x = lo + (hi - lo) * u;
  return x < hi ? x : std::nextafter(hi, lo);
}

/// The middle of one of 2^32 or 2^53 equal cells of (0, 1), and its distance from 1: both exact, never 0.
double standard_normal(std::uint32_t bits) {
  return detail::normal_quantile((bits + 0.5) * 0x1p-32, (~bits + 0.5) * 0x1p-32);
}
double standard_normal(std::uint64_t bits) {
  constexpr std::uint64_t last = (std::uint64_t{1} << 52) - 1;
  const std::uint64_t cell = bits >> 12;  // 52 bits: cell + 1/2 is a double, with 53 it would round
  return detail::normal_quantile((static_cast<double>(cell) + 0.5) * 0x1p-52,
                                 (static_cast<double>(last - cell) + 0.5) * 0x1p-52);
}

template <class T>
void check_uniform(T lo, T hi) {
  if (!(lo < hi) || !std::isfinite(hi - lo))
    fail<ValueError>("Random::uniform: range [", lo, ", ", hi, "), expected finite lo < hi");
}

template <class T>
void check_normal(T mean, T stddev) {
  if (!std::isfinite(mean) || !std::isfinite(stddev) || stddev < 0)
    fail<ValueError>("Random::normal: mean ", mean, " and stddev ", stddev,
                     ", expected finite numbers and stddev >= 0");
}

template <class T, class U>
T shifted_normal(T mean, T stddev, U bits) {
  return static_cast<T>(static_cast<double>(mean) + static_cast<double>(stddev) * standard_normal(bits));
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1), high(product0) ^ counter[3] ^ key[1],
               low(product0)};
    key[0] += 0x9E3779B9;  // Weyl sequence: golden ratio, sqrt(3) - 1
    key[1] += 0xBB67AE85;
  }
  return counter;
}

Random Random::derive(std::uint64_t id) const {
  const auto block = block_of(seed_ ^ derive_tag, stream_, id);
  return Random(seed_, join(block[0], block[1]));
}

std::uint32_t Random::next_u32() {
  const std::uint64_t index = position_ / 4;
  if (index != cached_index_) {
    cached_ = block_of(seed_, stream_, index);
    cached_index_ = index;
  }
  return cached_[position_++ % 4];
}

std::uint64_t Random::next_u64() {
  const std::uint32_t lo = next_u32();
  return join(lo, next_u32());
}

template <>
float Random::uniform<float>() {
  return unit(next_u32());
}
template <>
double Random::uniform<double>() {
  return unit(next_u64());
}
template <>
float Random::normal<float>() {
  return static_cast<float>(standard_normal(next_u32()));
}
template <>
double Random::normal<double>() {
  return standard_normal(next_u64());
}

template <std::floating_point T>
T Random::uniform(T lo, T hi) {
  check_uniform(lo, hi);
  return scale_unit(lo, hi, uniform<T>());
}
template float Random::uniform<float>(float, float);
template double Random::uniform<double>(double, double);

template <std::floating_point T>
T Random::normal(T mean, T stddev) {
  check_normal(mean, stddev);
  if constexpr (sizeof(T) == 4)
    return shifted_normal(mean, stddev, next_u32());
  else
    return shifted_normal(mean, stddev, next_u64());
}
template float Random::normal<float>(float, float);
template double Random::normal<double>(double, double);

Index Random::below(Index n) {
  if (n < 1) fail<ValueError>("Random::below: n is ", n, ", expected at least 1");
  const auto last = static_cast<std::uint64_t>(n) - 1;
  // Numbers of just enough bits, drawn again until one is in range: less than two tries on average, no bias.
  const std::uint64_t mask = last == 0 ? 0 : ~std::uint64_t{0} >> std::countl_zero(last);
  while (true) {
    const std::uint64_t draw = (high(mask) == 0 ? next_u32() : next_u64()) & mask;
    if (draw <= last) return static_cast<Index>(draw);
  }
}

std::vector<Index> Random::permutation(Index n) {
  if (n < 0) fail<ValueError>("Random::permutation: n is ", n, ", expected at least 0");
  std::vector<Index> result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), Index{0});
  shuffle(std::span<Index>(result));
  return result;
}

template <std::floating_point T, class F>
void Random::fill(Tensor& tensor, F&& from_bits) {
  constexpr Index words_each = sizeof(Bits<T>) / sizeof(std::uint32_t);
  constexpr Index batch = 64;
  const auto out = tensor.span<T>();
  parallel_for(tensor.size(), fill_grain, [&](Index begin, Index end) {
    std::array<std::uint32_t, batch * words_each> words;
    for (Index i = begin; i < end; i += batch) {
      const Index count = std::min(batch, end - i);
      words_at(seed_, stream_, position_ + static_cast<std::uint64_t>(i * words_each),
               std::span(words.data(), static_cast<std::size_t>(count * words_each)));
      for (Index k = 0; k < count; ++k) {
        const std::uint32_t* word = words.data() + k * words_each;
        if constexpr (words_each == 1)
          out[static_cast<std::size_t>(i + k)] = from_bits(word[0]);
        else
          out[static_cast<std::size_t>(i + k)] = from_bits(join(word[0], word[1]));
      }
    }
  });
  position_ += static_cast<std::uint64_t>(tensor.size() * words_each);
}

void Random::fill_uniform(Tensor& tensor, double lo, double hi) {
  dispatch_floating("Random::fill_uniform", tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T from = static_cast<T>(lo), to = static_cast<T>(hi);
    check_uniform(from, to);
    fill<T>(tensor, [=](auto bits) { return scale_unit(from, to, unit(bits)); });
  });
}

void Random::fill_normal(Tensor& tensor, double mean, double stddev) {
  dispatch_floating("Random::fill_normal", tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T center = static_cast<T>(mean), width = static_cast<T>(stddev);
    check_normal(center, width);
    fill<T>(tensor, [=](auto bits) { return shifted_normal(center, width, bits); });
  });
}

void Random::words_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::span<std::uint32_t> out) {
  for (std::size_t i = 0; i < out.size();) {
    const std::uint64_t position = first + i;
    const auto block = block_of(seed, stream, position / 4);
    for (std::size_t k = position % 4; k < 4 && i < out.size(); ++k) out[i++] = block[k];
  }
}

void Random::uniforms_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t first, std::span<float> out) {
  std::array<std::uint32_t, 64> words;
  for (std::size_t i = 0; i < out.size(); i += words.size()) {
    const std::size_t count = std::min(words.size(), out.size() - i);
    words_at(seed, stream, first + i, std::span(words.data(), count));
    for (std::size_t k = 0; k < count; ++k) out[i + k] = unit(words[k]);
  }
}

float Random::uniform_at(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return unit(block_of(seed, stream, index / 4)[index % 4]);
}

std::string Random::state() const {
  std::string text(engine_name);
  for (const std::uint64_t number : {seed_, stream_, position_}) text.append(":").append(std::to_string(number));
  return text;
}

Random Random::from_state(std::string_view state) {
  std::array<std::uint64_t, 3> numbers{};
  const char* at = state.data();
  const char* const end = at + state.size();
  bool good = state.substr(0, engine_name.size()) == engine_name;
  if (good) at += engine_name.size();
  for (std::uint64_t& number : numbers) {
    good = good && at != end && *at == ':';
    if (!good) break;
    const auto [stop, error] = std::from_chars(at + 1, end, number);
    good = error == std::errc{};
    at = stop;
  }
  if (!good || at != end)
    fail<ValueError>("Random::from_state: \"", state, "\", expected \"", engine_name, ":SEED:STREAM:POSITION\"");
  Random result(numbers[0], numbers[1]);
  result.set_position(numbers[2]);
  return result;
}

}  // namespace bitgrad
