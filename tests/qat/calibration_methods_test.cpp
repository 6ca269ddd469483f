// Every calibration method against numbers worked out by hand, or by a second computation.
#include <catch2/catch.hpp>

#include <cmath>
#include <map>

#include <bitgrad/core/random.hpp>
#include <bitgrad/qat/calibration.hpp>
#include <bitgrad/qat/detail/trial_grid.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

constexpr auto pot = QuantizationMethod::POWER_OF_TWO;
constexpr auto symmetric = QuantizationMethod::SYMMETRIC;
constexpr auto uniform = QuantizationMethod::UNIFORM;
constexpr Calibration minmax{CalibrationMethod::minmax}, kl{CalibrationMethod::kl};

Calibration percentile(double percent) { return {CalibrationMethod::percentile, percent}; }

QuantizerSpec spec(int bits, QuantizationMethod method, Calibration calibration) {
  return {.bits = bits, .method = method, .calibration = calibration};
}

Tensor sample(const std::vector<float>& values) { return Tensor::from({static_cast<Index>(values.size())}, values); }

double threshold(const std::vector<float>& values, const QuantizerSpec& chosen, bool nonnegative = false) {
  return calibrate_activations(sample(values), chosen, nonnegative).at("threshold").item();
}

std::pair<double, double> range(const std::vector<float>& values, const QuantizerSpec& chosen) {
  const QuantizationParams params = calibrate_activations(sample(values), chosen, false);
  return {params.at("range_min").item(), params.at("range_max").item()};
}

std::vector<float> normal_values(std::size_t count, std::uint64_t seed) {
  Tensor values({static_cast<Index>(count)});
  Random(seed).fill_normal(values);
  return {values.span<float>().begin(), values.span<float>().end()};
}

using Counts = std::map<double, double>;  // value to how often it occurs

/// Kullback-Leibler divergence between the values clipped to the grid and what is left of them on it, over the distinct
/// values themselves instead of bins.
double divergence(const Counts& counts, double scale, double zero, double lo, double hi) {
  std::map<double, std::vector<double>> cells;  // by code, the values inside the range
  double all = 0, inside = 0;
  for (const auto& [value, count] : counts) {
    const double code = std::nearbyint(value / scale) + zero;
    all += count;
    if (code < lo || code > hi) continue;
    cells[code].push_back(value);
    inside += count;
  }
  if (cells.empty()) return std::numeric_limits<double>::infinity();
  const double lowest = cells.begin()->second.front(), highest = cells.rbegin()->second.back();
  double sum = 0;
  for (const auto& [code, members] : cells) {
    double mass = 0;
    for (const double member : members) mass += counts.at(member);
    for (const double member : members) {
      double p = counts.at(member);
      for (const auto& [value, count] : counts)
        if ((member == lowest && value < lowest) || (member == highest && value > highest)) p += count;
      sum += p / all * std::log((p / all) / (mass / static_cast<double>(members.size()) / inside));
    }
  }
  return sum;
}

std::vector<float> expanded(const Counts& counts) {
  std::vector<float> values;
  for (const auto& [value, count] : counts)
    values.insert(values.end(), static_cast<std::size_t>(count), static_cast<float>(value));
  return values;
}

}  // namespace

TEST_CASE("minmax: the smallest grid that holds every value") {
  // 3 bits signed have levels -4..3: the step is a quarter of the threshold, the highest level three quarters of it.
  CHECK(threshold({-2, 0.5F, 1.25F}, spec(3, symmetric, minmax)) == 2);
  CHECK(threshold({-1, 3}, spec(3, symmetric, minmax)) == 4);
  CHECK(threshold({-1, 1.5F}, spec(3, symmetric, minmax)) == 2);
  CHECK(threshold({0, 3}, spec(2, symmetric, minmax), true) == 4);
  CHECK(threshold({0, 1}, spec(8, symmetric, minmax), true) == 256.0 / 255);
  CHECK(threshold({-1, 3}, spec(3, pot, minmax)) == 4);
  CHECK(threshold({-1, 3.0625F}, spec(3, pot, minmax)) == 8);
  CHECK(threshold({-5, 1}, spec(3, pot, minmax)) == 8);
  CHECK(threshold({0.75F}, spec(2, pot, minmax), true) == 1);
  CHECK(range({-1, 2, 3}, spec(4, uniform, minmax)) == std::pair{-1.0, 3.0});
  CHECK(range({1, 3}, spec(4, uniform, minmax)) == std::pair{0.0, 3.0});
  CHECK(range({-4, -3}, spec(4, uniform, minmax)) == std::pair{-4.0, 0.0});
  // One signed bit has the levels -t and 0 alone.
  CHECK(threshold({-0.5F, 0.75F}, spec(1, symmetric, minmax)) == 0.75);
  CHECK(threshold({0, 0}, spec(4, symmetric, minmax)) == 1);
  CHECK(range({0, 0}, spec(4, uniform, minmax)) == std::pair{0.0, 1.0});
}

TEST_CASE("percentile: the smallest grid that holds so many of the values") {
  const std::vector<float> values{-10, 1, 2, 3, 4,
                                  5,   6, 7, 8, 9};  // magnitudes 1..10: the 90th percentile is the ninth, 9
  CHECK(threshold(values, spec(8, symmetric, percentile(90))) == 9.0 * 128 / 127);
  CHECK(threshold(values, spec(8, symmetric, percentile(80))) == 8.0 * 128 / 127);
  CHECK(threshold(values, spec(8, symmetric, percentile(81))) == 9.0 * 128 / 127);
  CHECK(threshold(values, spec(8, symmetric, percentile(100))) == 10);
  CHECK(threshold(values, spec(8, symmetric, percentile(99.99))) == 10);
  CHECK(threshold(values, spec(8, pot, percentile(90))) == 16);
  CHECK(threshold(values, spec(8, pot, percentile(70))) == 8);
  CHECK(threshold({0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, spec(8, symmetric, percentile(90)), true) ==
        1);  // all that is held is zero
  // Both ends of a range: at most 10 % are above, at most 10 % below.
  CHECK(range(values, spec(8, uniform, percentile(90))) == std::pair{0.0, 8.0});
  CHECK(range({-9, -8, -7, -6, -5, 1, 2, 3, 4, 100}, spec(8, uniform, percentile(90))) == std::pair{-8.0, 4.0});
  CHECK(range({-9, -8, -7, -6, -5, 1, 2, 3, 4, 100}, spec(8, uniform, percentile(100))) == std::pair{-9.0, 100.0});
  // 99.9 % of 1000 values are 999 of them, although 99.9 / 100 * 1000 is a little more in binary.
  std::vector<float> many(1000, 1.0F);
  many[500] = 50;
  CHECK(threshold(many, spec(8, symmetric, percentile(99.9)), true) == 256.0 / 255);
  CHECK(threshold(many, spec(8, symmetric, percentile(99.95)), true) == 50 * 256.0 / 255);
}

TEST_CASE("kl: the divergence of three values on a grid, by hand") {
  using namespace calibration;
  const Distribution values(expanded({{1, 1}, {2, 1}, {4, 2}}));
  CHECK(values.bounds().low == 0);
  CHECK(values.bounds().high == 4);
  // A step of 2.5 tells all three apart and clips none: nothing is lost.
  CHECK(values.divergence({2.5F, 0, 0, 3}) == 0);
  // A step of 1.1 with codes 0..3 clips 4. P = (1/4, 3/4), Q = (1/2, 1/2).
  CHECK(values.divergence({1.1F, 0, 0, 3}) == Approx(0.25 * std::log(0.5) + 0.75 * std::log(1.5)).epsilon(1e-12));
  // A step of 3 merges 2 and 4. P = (1/4, 1/4, 1/2), Q = (1/4, 3/8, 3/8).
  CHECK(values.divergence({3, 0, 0, 3}) == Approx(0.25 * std::log(2.0 / 3) + 0.5 * std::log(4.0 / 3)).epsilon(1e-12));
  CHECK(values.divergence({0.1F, 0, 0, 3}) == std::numeric_limits<double>::infinity());
}

TEST_CASE("kl: zeros lose nothing on any grid and do not count, values far out do not widen the bins") {
  using namespace calibration;
  const Distribution with_zeros(expanded({{0, 1000}, {1, 1}, {2, 1}, {4, 2}}));
  CHECK(with_zeros.divergence({3, 0, 0, 3}) ==
        Approx(0.25 * std::log(2.0 / 3) + 0.5 * std::log(4.0 / 3)).epsilon(1e-12));
  Counts counts;
  for (int i = 1; i <= 99; ++i) counts[i] = 1;
  counts[-1e6] = 1;
  const Distribution far(expanded(counts));  // 100 magnitudes: the 99th percentile is 99
  CHECK(far.bounds().high == 99);
  CHECK(far.bounds().low == -8 * 99);
  // The outlier is below the histogram; P adds it to the lowest value inside, Q lacks it.
  CHECK(far.divergence({1, 0, -10000, 10000}) ==
        Approx(2.0 / 100 * std::log(2.0 / 100 * 99) + 98.0 / 100 * std::log(99.0 / 100)).epsilon(1e-12));
}

TEST_CASE("kl chooses the candidate of least divergence, as a second computation finds it") {
  // Values on whole numbers, so that no two share a bin and none lies near the border of a cell of the chosen grid.
  Counts counts;
  for (int i = 1; i <= 200; ++i) counts[i] = 1 + std::floor(400 * std::exp(-i / 30.0)) + (i * 37) % 5;
  const std::vector<float> values = expanded(counts);
  for (const int bits : {2, 4, 5}) {
    const double levels = std::ldexp(1.0, bits);
    double best = 0, least = std::numeric_limits<double>::infinity();
    for (int step = 3; step <= 110; ++step) {
      const double t = 200.0 * step / 100,
                   found = divergence(counts, static_cast<double>(static_cast<float>(t / levels)), 0, 0, levels - 1);
      if (found < least) {
        least = found;
        best = t;
      }
    }
    const double chosen = threshold(values, spec(bits, symmetric, kl), true);
    INFO(bits << " bits, chosen " << chosen << ", best " << best);
    // Centres of bins are a little off the values, which can move one to the next cell.
    CHECK(divergence(counts, chosen / levels, 0, 0, levels - 1) <= least * 1.02);
    const double power = threshold(values, spec(bits, pot, kl), true);
    for (int exponent = 3; exponent <= 9; ++exponent)
      CHECK(divergence(counts, power / levels, 0, 0, levels - 1) <=
            divergence(counts, std::exp2(exponent) / levels, 0, 0, levels - 1) * 1.02);
    const auto [low, high] = range(values, spec(bits, uniform, kl));
    CHECK(low == 0);
    CHECK(divergence(counts, high / (levels - 1), 0, 0, levels - 1) <=
          1.02 * divergence(counts, 200 / (levels - 1), 0, 0, levels - 1));
  }
}

TEST_CASE("kl of fewer values than bins is mse") {
  std::vector<float> values = normal_values(2048, 5);
  CHECK(threshold(values, spec(3, symmetric, kl)) != threshold(values, {.bits = 3}));
  values[0] = 0;
  CHECK(threshold(values, spec(3, symmetric, kl)) == threshold(values, {.bits = 3}));
  CHECK(range(values, spec(3, uniform, kl)) == range(values, {.bits = 3, .method = uniform}));
}

TEST_CASE("with more levels than bins, kl is the range of the values") {
  const std::vector<float> values = normal_values(5000, 3);
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  CHECK(threshold(values, spec(16, symmetric, kl)) == Approx(static_cast<double>(largest)).epsilon(0.011));
}

TEST_CASE("one giant value rules minmax, and neither percentile nor kl") {
  std::vector<float> values = normal_values(20000, 1);
  values[7777] = -1e6F;
  for (const int bits : {3, 4, 8}) {
    CHECK(threshold(values, spec(bits, symmetric, minmax)) == 1e6);
    CHECK(threshold(values, spec(bits, pot, minmax)) == std::exp2(20));
    CHECK(range(values, spec(bits, uniform, minmax)).first == -1e6);
    for (const Calibration calibration : {percentile(99.99), kl}) {
      INFO(bits << " bits, " << to_string(calibration));
      const double t = threshold(values, spec(bits, symmetric, calibration)),
                   p = threshold(values, spec(bits, pot, calibration));
      CHECK((t > 2 && t < 6));
      CHECK((p >= 2 && p <= 8));
      const auto [low, high] = range(values, spec(bits, uniform, calibration));
      CHECK((low > -6 && low < -1.5));
      CHECK((high > 1.5 && high < 6));
    }
  }
  // The same for weights: 3 channels of 20,000 values, the outlier in the second.
  const std::vector<float> others = normal_values(60000, 2);
  Tensor kernel = Tensor::from({20000, 3}, others);
  kernel.at<float>({500, 1}) = 1e6F;
  for (const Calibration calibration : {percentile(99.99), kl}) {
    QuantizerSpec chosen = spec(4, symmetric, calibration);
    const Tensor per_channel = calibrate_weights(kernel, chosen).at("threshold");
    REQUIRE(per_channel.shape() == Shape{1, 3});
    for (const double t : per_channel.span<double>()) CHECK((t > 2 && t < 6));
    chosen.per_channel = false;
    const Tensor per_tensor = calibrate_weights(kernel, chosen).at("threshold");
    REQUIRE(per_tensor.shape() == Shape{1});
    CHECK((per_tensor.item() > 2 && per_tensor.item() < 6));
  }
  const Tensor ruled = calibrate_weights(kernel, spec(4, symmetric, minmax)).at("threshold");
  CHECK(ruled.at<double>({0, 0}) < 7);
  CHECK(ruled.at<double>({0, 1}) == 1e6 * 8 / 7);
}

TEST_CASE("weights are calibrated per channel of the last axis, or as one") {
  const Tensor kernel = Tensor::from({3, 2}, {-1, 6, 0.5F, 3, 0.75F, -2});
  QuantizerSpec chosen = spec(3, symmetric, minmax);
  const Tensor per_channel = calibrate_weights(kernel, chosen).at("threshold");
  CHECK(per_channel.shape() == Shape{1, 2});
  CHECK(per_channel.at<double>({0, 0}) == 1);
  CHECK(per_channel.at<double>({0, 1}) == 8);
  chosen.per_channel = false;
  CHECK(calibrate_weights(kernel, chosen).at("threshold").item() == 8);
  chosen = spec(3, uniform, minmax);
  const QuantizationParams ranges = calibrate_weights(kernel, chosen);
  CHECK(ranges.at("range_min").at<double>({0, 0}) == -1);
  CHECK(ranges.at("range_max").at<double>({0, 0}) == 0.75);
  CHECK(ranges.at("range_min").at<double>({0, 1}) == -2);
  CHECK(ranges.at("range_max").at<double>({0, 1}) == 6);
}

TEST_CASE("mean squared error: the step that loses least, by hand") {
  // 2 bits signed have the levels -t, -t/2, 0, t/2: only t = 2 has no error.
  CHECK(threshold({-2, -1, 1, 1}, {.bits = 2}) == 2);
  CHECK(threshold({-2, -1, 1, 1}, {.bits = 2, .method = pot}) == 2);
  CHECK(range({-1, 0, 1, 2}, {.bits = 2, .method = uniform}) == std::pair{-1.0, 2.0});
  // A few ones beside a hundred and one tenths: one bit unsigned has 0 and t/2, and t/2 near 0.1 loses least.
  std::vector<float> values(1000, 0.1F);
  values[3] = 1;
  CHECK(threshold(values, {.bits = 1}, true) == Approx(0.2).margin(0.011));
}

TEST_CASE("calibration of every method gives quantizers of every kind something they can start from") {
  for (const Calibration calibration : {Calibration{}, minmax, percentile(99), kl})
    for (const auto method : {pot, symmetric, uniform})
      for (const int bits : {1, 2, 8, 16})
        for (const std::vector<float>& values :
             {std::vector<float>{0}, {5}, {-3}, {1e-30F, 0}, {1e30F, -1e30F}, normal_values(50, 4)}) {
          const QuantizationParams params =
              calibrate_activations(sample(values), spec(bits, method, calibration), false);
          INFO(to_string(calibration) << ' ' << name_of(method) << ' ' << bits << ' ' << sample(values));
          if (method == uniform) {
            const double low = params.at("range_min").item(), high = params.at("range_max").item();
            CHECK((low <= 0 && high >= 0 && low < high && std::isfinite(low) && std::isfinite(high)));
          } else {
            const double t = params.at("threshold").item();
            CHECK((t > 0 && std::isfinite(t)));
            if (method == pot) CHECK(std::exp2(std::round(std::log2(t))) == t);
          }
        }
}
