#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <bitgrad/core/random.hpp>
#include <bitgrad/qat/calibration.hpp>

using namespace bitgrad;
using Catch::Contains;

namespace {

QuantizerSpec spec(int bits, QuantizationMethod method = QuantizationMethod::SYMMETRIC, bool per_channel = true) {
  return {.quantizer = "lsq", .bits = bits, .method = method, .per_channel = per_channel};
}

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Tensor result(shape);
  Random(seed).fill_normal(result);
  return result;
}

/// Mean squared error of a signed symmetric grid, written independently of the library.
double error_at(const Tensor& values, double threshold, int bits) {
  const double levels = std::pow(2.0, bits - 1), step = threshold / levels;
  double sum = 0;
  for (const float x : values.span<float>()) {
    double code = std::nearbyint(static_cast<double>(x) / step);
    code = std::min(std::max(code, -levels), levels - 1);
    sum += std::pow(static_cast<double>(x) - code * step, 2);
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("the threshold of few bits lies well inside the range and is near the optimum") {
  const Tensor sample = normal({20000}, 1);
  for (const int bits : {2, 3, 4}) {
    const double found = calibrate_activations(sample, spec(bits), false).at("threshold").item();
    double best = std::numeric_limits<double>::infinity();
    for (double threshold = 0.05; threshold < 6; threshold += 0.01)
      best = std::min(best, error_at(sample, threshold, bits));
    CHECK(error_at(sample, found, bits) < best * 1.02);
  }
}

TEST_CASE("weights get one threshold per output channel, shaped for broadcasting") {
  Tensor kernel = normal({3, 3, 2, 4}, 2);
  for (Index i = 0; i < kernel.size(); ++i) kernel.data<float>()[i] *= i % 4 == 1 ? 10.0F : i % 4 == 2 ? 0.0F : 1.0F;
  const Tensor threshold = calibrate_weights(kernel, spec(4)).at("threshold");
  CHECK(threshold.shape() == Shape{1, 1, 1, 4});
  CHECK(threshold.at<double>({0, 0, 0, 1}) > 5 * threshold.at<double>({0, 0, 0, 0}));
  CHECK(threshold.at<double>({0, 0, 0, 2}) == 1);
  CHECK(calibrate_weights(kernel, spec(4, QuantizationMethod::SYMMETRIC, false)).at("threshold").shape() == Shape{1});
}

TEST_CASE("power-of-two thresholds are powers of two") {
  for (const double scale : {0.01, 0.3, 1.0, 77.0}) {
    Tensor sample = normal({1000}, 3);
    for (float& value : sample.span<float>()) value *= static_cast<float>(scale);
    const double threshold =
        calibrate_activations(sample, spec(4, QuantizationMethod::POWER_OF_TWO), false).at("threshold").item();
    CHECK(std::exp2(std::round(std::log2(threshold))) == threshold);
  }
}

TEST_CASE("uniform ranges contain zero, and signs follow the producer") {
  Tensor sample = normal({1000}, 4);
  for (float& value : sample.span<float>()) value = std::abs(value) + 1;
  const auto params = calibrate_activations(sample, spec(8, QuantizationMethod::UNIFORM), true);
  CHECK(params.at("range_min").item() == 0);
  CHECK(params.at("range_max").item() > 2);
  CHECK(calibrate_activations(sample, spec(8), true).at("is_signed").item() == 0);
  CHECK(calibrate_activations(sample, spec(8), false).at("is_signed").item() == 1);
}

TEST_CASE("the full range of images puts white on the last code") {
  const Tensor sample = Tensor::from({3}, {0, 0.5F, 1});
  const double threshold = full_range(sample, spec(8), true).at("threshold").item();
  CHECK(threshold / 256 == Approx(1.0 / 255).epsilon(1e-15));
}

TEST_CASE("nothing is calibrated from nothing or from NaN") {
  CHECK_THROWS_WITH(calibrate_activations(Tensor({0}), spec(8), true), Contains("no values"));
  Tensor sample = normal({10}, 5);
  sample.data<float>()[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(calibrate_activations(sample, spec(8), true), Contains("value 7 is nan"));
}
