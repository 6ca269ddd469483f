#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/random.hpp>

using namespace bitgrad;
using Catch::Contains;

using Block = std::array<std::uint32_t, 4>;

TEST_CASE("philox4x32-10 gives the published known answers") {
  // kat_vectors of the authors' library Random123.
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("words, uniforms and normals of a stream are those of an independent implementation") {
  // Computed in Python: Philox by its definition, the normals with statistics.NormalDist().inv_cdf.
  const std::uint64_t seed = 0x123456789abcdef0;
  Random words(seed, 7);
  for (const std::uint32_t expected : {0xe2aedaf7u, 0x2b74fe69u, 0x9b175b0cu, 0xade5d4dbu, 0x1fdc6a16u, 0x328be767u})
    CHECK(words.next_u32() == expected);
  CHECK(words.position() == 6);

  Random u64(seed, 7);
  CHECK(u64.next_u64() == 0x2b74fe69e2aedaf7);

  Random uniforms(seed, 7);
  CHECK(uniforms.uniform() == static_cast<float>(0xe2aeda) / 16777216.0f);
  uniforms.set_position(0);
  CHECK(uniforms.uniform<double>() == static_cast<double>(0x2b74fe69e2aedaf7 >> 11) / 9007199254740992.0);

  Random floats(seed, 7);
  for (const double expected : {1.202838459988679, -0.9551380930792762, 0.2684541773687996, 0.46570929243417725})
    CHECK(floats.normal() == static_cast<float>(expected));
  Random doubles(seed, 7);
  for (const double expected : {-0.9551380927242724, 0.4657092925030132, -0.8507746812070037, 0.2852022298161297})
    CHECK(doubles.normal<double>() == Approx(expected).epsilon(4e-16));
}

TEST_CASE("normals are the inverse of the normal distribution function, in the tails as well") {
  Random bits(3), normals(3);
  double smallest = 1;
  for (int i = 0; i < 200000; ++i) {
    const double p = (bits.next_u32() + 0.5) / 4294967296.0;
    const float x = normals.normal();
    // The slope of the distribution function turns the half unit in the last place of x into one of p.
    const double density = std::exp(-0.5 * static_cast<double>(x) * static_cast<double>(x)) / 2.5066282746310002;
    const double tolerance = density * std::abs(static_cast<double>(x)) * 0x1p-23 + 1e-15;
    const double found = 0.5 * std::erfc(-static_cast<double>(x) / std::sqrt(2.0));
    if (std::abs(found - p) > tolerance) FAIL_CHECK("p " << p << ", x " << x << ", distribution function " << found);
    smallest = std::min({smallest, p, 1 - p});
  }
  CHECK(smallest < 2e-5);  // the tails of the approximation were reached
}

TEST_CASE("moments of uniforms and normals") {
  constexpr int n = 400000;
  const auto moments = [](auto draw) {
    std::array<double, 4> sums{};
    for (int i = 0; i < n; ++i) {
      double power = 1;
      const auto x = static_cast<double>(draw());
      for (double& sum : sums) sum += power *= x;
    }
    for (double& sum : sums) sum /= n;
    return sums;
  };
  // Five standard errors of each mean: sqrt(variance of the power / n).
  SECTION("uniform") {
    Random random(11, 4);
    const auto m = moments([&] { return random.uniform(); });
    for (int k = 1; k <= 4; ++k)
      CHECK(m[static_cast<std::size_t>(k - 1)] == Approx(1.0 / (k + 1)).margin(5 * 0.3 / std::sqrt(n)));
  }
  SECTION("normal, float and double") {
    Random random(12, 4);
    const auto check = [](const std::array<double, 4>& m) {
      CHECK(m[0] == Approx(0).margin(5 / std::sqrt(n)));
      CHECK(m[1] == Approx(1).margin(5 * std::sqrt(2.0 / n)));
      CHECK(m[2] == Approx(0).margin(5 * std::sqrt(15.0 / n)));
      CHECK(m[3] == Approx(3).margin(5 * std::sqrt(96.0 / n)));
    };
    check(moments([&] { return random.normal(); }));
    check(moments([&] { return random.normal<double>(); }));
  }
  SECTION("scaled") {
    Random random(13);
    const auto u = moments([&] { return random.uniform(-3.0f, 5.0f); });
    CHECK(u[0] == Approx(1).margin(5 * 2.31 / std::sqrt(n)));
    CHECK(u[1] - u[0] * u[0] == Approx(64.0 / 12).epsilon(0.01));
    const auto g = moments([&] { return random.normal(2.0, 0.5); });
    CHECK(g[0] == Approx(2).margin(5 * 0.5 / std::sqrt(n)));
    CHECK(g[1] - g[0] * g[0] == Approx(0.25).epsilon(0.02));
  }
}

TEST_CASE("streams, seeds and derived streams are different and uncorrelated") {
  Random base(5, 0);
  std::vector<Random> others{
      Random(6, 0),   Random(5, 1),   Random(5, std::uint64_t{1} << 40), Random(5 + (std::uint64_t{1} << 40), 0),
      base.derive(0), base.derive(1), base.derive(0).derive(0)};
  constexpr int n = 20000;
  std::vector<float> reference;
  for (int i = 0; i < n; ++i) reference.push_back(base.uniform() - 0.5f);
  for (Random& other : others) {
    double sum = 0;
    for (const float x : reference) sum += static_cast<double>(x) * (static_cast<double>(other.uniform()) - 0.5);
    CHECK(std::abs(sum / n * 12) < 5 / std::sqrt(n));
  }
  CHECK(base.derive(3) == Random(5, 0).derive(3));  // whatever was drawn before
  for (std::size_t i = 0; i < others.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) CHECK_FALSE(others[i] == others[k]);
}

TEST_CASE("uniform ranges keep their upper bound out") {
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    const float x = random.uniform(16777215.0f, 16777216.0f);  // only two floats here: the naive formula rounds up
    if (x != 16777215.0f) FAIL_CHECK("out of range: " << x);
  }
  CHECK_THROWS_WITH(random.uniform(2.0f, 2.0f), "Random::uniform: range [2, 2), expected finite lo < hi");
  CHECK_THROWS_AS(random.uniform(0.0, std::nan("")), ValueError);
  CHECK_THROWS_AS(random.uniform(-3e38f, 3e38f), ValueError);
  CHECK_THROWS_WITH(random.normal(0.0f, -1.0f), Contains("mean 0 and stddev -1") && Contains("stddev >= 0"));
  CHECK_THROWS_AS(random.normal(INFINITY, 1.0f), ValueError);
  CHECK(random.normal(7.0, 0.0) == 7.0);
}

TEST_CASE("below is in range and unbiased") {
  Random random(9);
  for (const Index n : {Index{1}, Index{2}, Index{3}, Index{10}, Index{48}}) {
    constexpr int draws = 60000;
    std::vector<int> counts(static_cast<std::size_t>(n));
    for (int i = 0; i < draws; ++i) ++counts.at(static_cast<std::size_t>(random.below(n)));
    const double expected = static_cast<double>(draws) / static_cast<double>(n);
    double chi_square = 0;
    for (const int count : counts) chi_square += (count - expected) * (count - expected) / expected;
    CHECK(chi_square < static_cast<double>(n) - 1 + 6 * std::sqrt(2.0 * static_cast<double>(n)) + 1);
  }
  // Two thirds of a power of two: taking a remainder instead would give the first half twice as often.
  const Index large = Index{3} << 61;
  int lower = 0;
  for (int i = 0; i < 10000; ++i) lower += random.below(large) < large / 2;
  CHECK(std::abs(lower - 5000) < 250);
  CHECK_THROWS_WITH(random.below(0), "Random::below: n is 0, expected at least 1");
}

TEST_CASE("permutations hold every number once, in every order equally often") {
  Random random(2);
  auto sorted = random.permutation(1000);
  CHECK_FALSE(std::is_sorted(sorted.begin(), sorted.end()));
  std::sort(sorted.begin(), sorted.end());
  for (Index i = 0; i < 1000; ++i) CHECK(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(random.permutation(0).empty());
  CHECK(random.permutation(1) == std::vector<Index>{0});
  CHECK_THROWS_WITH(random.permutation(-1), Contains("n is -1"));

  std::array<int, 27> counts{};
  for (int i = 0; i < 12000; ++i) {
    const auto p = random.permutation(3);
    ++counts[static_cast<std::size_t>(p[0] * 9 + p[1] * 3 + p[2])];
  }
  for (const std::size_t order : {5u, 7u, 11u, 15u, 19u, 21u}) CHECK(std::abs(counts[order] - 2000) < 5 * 41);
}

TEST_CASE("fills equal single calls for any number of threads, size and position") {
  const int before = num_threads();
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    for (const DType dtype : {DType::float32, DType::float64}) {
      for (const Index n : {0, 1, 63, 65, 40000}) {
        dispatch_floating("test", dtype, [&](auto zero) {
          using T = decltype(zero);
          Random filling(21, 3), single(21, 3);
          for (Random* random : {&filling, &single}) random->next_u32();  // not at the start of a block
          Tensor x({n}, dtype);
          filling.fill_uniform(x, -2, 6);
          for (const T value : x.span<T>()) REQUIRE(value == single.uniform(T(-2), T(6)));
          filling.fill_normal(x, 1, 3);
          for (const T value : x.span<T>()) REQUIRE(value == single.normal(T(1), T(3)));
          CHECK(filling == single);
        });
      }
    }
  }
  set_num_threads(before);
  Tensor codes({3}, DType::int8);
  CHECK_THROWS_WITH(Random(0).fill_uniform(codes), "Random::fill_uniform: dtype is int8, expected float32 or float64");
  Tensor x({3});
  CHECK_THROWS_AS(Random(0).fill_normal(x, 0, -1), ValueError);
}

TEST_CASE("random access gives the numbers of the sequence") {
  Random sequence(77, 5);
  std::vector<float> expected(500);
  for (float& x : expected) x = sequence.uniform();
  for (const std::size_t first : {0u, 1u, 3u, 4u, 250u}) {
    for (const std::size_t count : {0u, 1u, 64u, 66u, 250u}) {
      std::vector<float> found(count);
      Random::uniforms_at(77, 5, first, found);
      CHECK(std::equal(found.begin(), found.end(), expected.begin() + static_cast<std::ptrdiff_t>(first)));
    }
  }
  for (std::uint64_t i = 0; i < 10; ++i) CHECK(Random::uniform_at(77, 5, i) == expected[i]);
  std::vector<std::uint32_t> far(2);
  Random::words_at(77, 5, (std::uint64_t{1} << 40) + 3, far);
  sequence.set_position((std::uint64_t{1} << 40) + 3);
  CHECK(far ==
        std::vector<std::uint32_t>{0x33a87107, 0x87d30e04});  // from Python: the upper half of the counter counts
  CHECK(far[0] == sequence.next_u32());
  CHECK(far[1] == sequence.next_u32());
}

TEST_CASE("the state as text continues the sequence") {
  Random random(std::uint64_t{0} - 1, 42);
  for (int i = 0; i < 7; ++i) random.next_u32();
  CHECK(random.state() == "philox4x32-10:18446744073709551615:42:7");
  Random copy = Random::from_state(random.state());
  CHECK(copy == random);
  for (int i = 0; i < 5; ++i) CHECK(copy.next_u32() == random.next_u32());
  for (const char* wrong : {"", "philox4x32-10", "philox4x32-10:1:2", "philox4x32-10:1:2:3:4", "philox4x32-10:1:2:-3",
                            "philox4x32-10:1:2:3 ", "philox4x32-10:1:2:18446744073709551616", "mt19937:1:2:3"})
    CHECK_THROWS_WITH(Random::from_state(wrong),
                      Contains(wrong) && Contains("expected \"philox4x32-10:SEED:STREAM:POSITION\""));
}
