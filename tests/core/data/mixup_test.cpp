#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include <bitgrad/core/data/loader.hpp>
#include <bitgrad/core/data/mixup.hpp>
#include <bitgrad/core/data/prefetched.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>
#include <bitgrad/core/portable_math.hpp>

using namespace bitgrad;
using namespace bitgrad::data;
using Catch::Contains;

namespace {

/// n images of one pixel, image i has 255 at channel i: a mixed image shows what it is made of. Its label is i %
/// classes.
Dataset one_hot(Index n, int classes) {
  Dataset dataset{Tensor::zeros({n, 1, 1, n}, DType::uint8), Tensor({n}, DType::int32), classes, {}};
  for (Index i = 0; i < n; ++i) {
    dataset.images.data<std::uint8_t>()[i * n + i] = 255;
    dataset.labels.data<std::int32_t>()[i] = static_cast<std::int32_t>(i % classes);
  }
  return dataset;
}

/// What every sample of an epoch became, by its index: the order of the epoch does not depend on mixup.
struct Mixed {
  std::vector<std::vector<float>> images, targets;
};

Mixed by_sample(const Dataset& dataset, Index batch, Index epoch, double mixup, const std::string& steps = "none") {
  const LoaderOptions options{
      .batch_size = batch, .seed = 7, .augmentation = parse_augmentation(steps), .mixup = mixup};
  LoaderOptions plain = options;
  plain.augmentation = {};
  plain.mixup = 0;
  Dataset numbered = dataset;
  numbered.labels = numbered.labels.clone();
  for (Index i = 0; i < dataset.size(); ++i) numbered.labels.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  numbered.classes = static_cast<int>(dataset.size());
  const auto size = static_cast<std::size_t>(dataset.size());
  Mixed result{std::vector<std::vector<float>>(size), std::vector<std::vector<float>>(size)};
  const Epoch mixed = Loader(dataset, options).epoch(epoch), numbers = Loader(numbered, plain).epoch(epoch);
  for (Index b = 0; b < mixed.size(); ++b) {
    const Batch batch_of = mixed[b], names = numbers[b];
    for (Index i = 0; i < batch_of.size(); ++i) {
      const auto sample = static_cast<std::size_t>(names.labels.at<std::int32_t>({i}));
      const auto row = [&](const Tensor& t) {
        const auto values = t.rows(i, i + 1).span<float>();
        return std::vector<float>(values.begin(), values.end());
      };
      result.images[sample] = row(batch_of.images);
      if (batch_of.targets.defined()) result.targets[sample] = row(batch_of.targets);
      CHECK(batch_of.labels.at<std::int32_t>({i}) == dataset.labels.data<std::int32_t>()[sample]);
    }
  }
  return result;
}

/// P(X <= x) for Beta(1/2, 1/2) is 2 / pi * asin(sqrt(x)), for Beta(1, 1) x, for Beta(2, 2) x^2 (3 - 2 x).
double distribution(double alpha, double x) {
  if (alpha == 0.5) return 2 / 3.14159265358979323846 * std::asin(std::sqrt(x));
  return alpha == 1 ? x : x * x * (3 - 2 * x);
}

}  // namespace

TEST_CASE("logarithm and exponential without a library are those of the library within some last places") {
  for (double x = 1e-300; x < 1e300; x *= 7.3)
    CHECK(portable_log(x) == Approx(std::log(x)).epsilon(1e-15).margin(1e-15));
  for (double x = -699.7; x < 700; x += 0.37) CHECK(portable_exp(x) == Approx(std::exp(x)).epsilon(1e-13));
  CHECK(portable_exp(0) == 1);
  CHECK(portable_log(1) == 0);
}

TEST_CASE("mixup: shares follow Beta(alpha, alpha)") {
  constexpr int count = 20000;
  for (const double alpha : {0.05, 0.2, 0.5, 1.0, 2.0, 30.0}) {
    Random random(3);
    std::vector<double> shares(count);
    double sum = 0, squares = 0;
    for (double& share : shares) {
      share = symmetric_beta(alpha, random);
      REQUIRE((share >= 0 && share <= 1));
      sum += share;
      squares += (share - 0.5) * (share - 0.5);
    }
    INFO("alpha " << alpha);
    const double variance = 1 / (4 * (2 * alpha + 1)), error = 5 / std::sqrt(double{count});
    CHECK(std::abs(sum / count - 0.5) < error * std::sqrt(variance));
    CHECK(std::abs(squares / count / variance - 1) < 2 * error);  // the fourth moment is at most 3 variance^2
    if (alpha != 0.5 && alpha != 1 && alpha != 2) continue;
    std::sort(shares.begin(), shares.end());
    double furthest = 0;  // Kolmogorov and Smirnov: 1.95 / sqrt(n) in one of a thousand cases
    for (int i = 0; i < count; ++i)
      furthest = std::max(
          furthest, std::abs(distribution(alpha, shares[static_cast<std::size_t>(i)]) - (i + 0.5) / double{count}));
    CHECK(furthest < 1.95 / std::sqrt(double{count}));
  }
  Random random(1);
  for (const double alpha : {0.0, -1.0, 1001.0, std::nan("")})
    CHECK_THROWS_WITH(symmetric_beta(alpha, random), Contains("expected more than 0 and at most 1000"));
  CHECK_NOTHROW(symmetric_beta(1e-9, random));
}

TEST_CASE("mixup: an image keeps the larger share, its partner has the rest, and so have their classes") {
  const Dataset dataset = one_hot(12, 5);
  std::set<std::size_t> partners;
  std::set<float> shares;
  for (Index epoch = 0; epoch < 60; ++epoch) {
    const Mixed mixed = by_sample(dataset, 5, epoch, 0.7);
    for (std::size_t sample = 0; sample < 12; ++sample) {
      const std::vector<float>& image = mixed.images[sample];
      std::vector<float> target(5, 0);
      double sum = 0;
      for (std::size_t i = 0; i < 12; ++i) {
        target[i % 5] += image[i];
        sum += static_cast<double>(image[i]);
        if (i != sample && image[i] > 0) partners.insert(sample * 12 + i);
      }
      CHECK(sum == Approx(1));
      CHECK(image[sample] >= 0.5F);
      CHECK(std::count_if(image.begin(), image.end(), [](float share) { return share > 0; }) <= 2);
      for (std::size_t c = 0; c < 5; ++c) CHECK(mixed.targets[sample][c] == Approx(target[c]));
      shares.insert(image[sample]);
    }
  }
  CHECK(shares.size() > 500);                   // of 720
  CHECK(partners.size() > 12 * 11 * 95 / 100);  // nearly every pair has met: 5 times on average
}

TEST_CASE("mixup: what an image becomes depends on seed, epoch and its index alone") {
  Dataset dataset{Tensor({23, 6, 5, 2}, DType::uint8), Tensor::zeros({23}, DType::int32), 3, {}};
  Random random(3);
  for (std::uint8_t& pixel : dataset.images.span<std::uint8_t>()) pixel = static_cast<std::uint8_t>(random.below(256));
  for (Index i = 0; i < 23; ++i) dataset.labels.data<std::int32_t>()[i] = static_cast<std::int32_t>(i % 3);
  const std::string steps = "flip,shift:2,rotate:20";
  const Mixed expected = by_sample(dataset, 23, 2, 0.4, steps);
  const int before = num_threads();
  for (const int threads : {1, 2, 3})
    for (const Index batch : {1, 4, 5, 23}) {
      set_num_threads(threads);
      const Mixed found = by_sample(dataset, batch, 2, 0.4, steps);
      CHECK(found.images == expected.images);
      CHECK(found.targets == expected.targets);
    }
  set_num_threads(before);
  CHECK(by_sample(dataset, 23, 3, 0.4, steps).images != expected.images);
  CHECK(by_sample(dataset, 23, 2, 0.5, steps).images != expected.images);
  // Prefetched batches have the targets as well.
  const Epoch epoch = Loader(dataset, {.batch_size = 5, .mixup = 0.4}).epoch(1);
  CHECK(epoch.augmented());
  Prefetched ahead(epoch);
  for (Index i = 0; i < epoch.size(); ++i) {
    const Batch batch = ahead.next();
    CHECK(identical(batch.images, epoch[i].images));
    CHECK(identical(batch.targets, epoch[i].targets));
  }
}

TEST_CASE("mixup: the partner is augmented too, in a way of its own, and comes from the limited data") {
  // Of two images, one bright at the left and one at the right, flips decide what is seen.
  Dataset dataset{Tensor::zeros({1, 1, 2, 1}, DType::uint8), Tensor::zeros({1}, DType::int32), 1, {}};
  dataset.images.data<std::uint8_t>()[0] = 255;
  std::set<bool> kinds;  // an image mixed with itself, flipped in the same way or not
  for (Index epoch = 0; epoch < 40; ++epoch) {
    const Batch batch = Loader(dataset, {.augmentation = flip(), .mixup = 1}).epoch(epoch)[0];
    const float left = batch.images.at<float>({0, 0, 0, 0}), right = batch.images.at<float>({0, 0, 1, 0});
    CHECK(left + right == Approx(1));
    kinds.insert(left > 0 && right > 0);
    CHECK(batch.targets.at<float>({0, 0}) == Approx(1));
  }
  CHECK(kinds.size() == 2);
  // With a limit of 3 nothing of the other images is seen.
  for (Index epoch = 0; epoch < 30; ++epoch)
    for (const Batch& batch : Loader(one_hot(12, 12), {.batch_size = 2, .limit = 3, .mixup = 1}).epoch(epoch))
      for (Index i = 0; i < batch.size(); ++i)
        for (Index c = 3; c < 12; ++c) CHECK(batch.images.at<float>({i, 0, 0, c}) == 0);
}

TEST_CASE("mixup leaves everything else as it is, and refuses shares that are none") {
  const Dataset dataset = one_hot(6, 3);
  const Batch batch = Loader(dataset, {}).epoch(0)[0];
  CHECK_FALSE(batch.targets.defined());
  CHECK_FALSE(Loader(dataset, {}).epoch(0).augmented());
  CHECK_THROWS_WITH(Loader(dataset, {.mixup = -0.1}), "Loader: mixup is -0.1, expected 0 (none) to 1000");
  CHECK_THROWS_WITH(Loader(dataset, {.mixup = std::nan("")}), Contains("Loader: mixup is nan"));
}
