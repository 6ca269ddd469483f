#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>

#include <bitgrad/core/data/loader.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/parallel.hpp>

using namespace bitgrad;
using namespace bitgrad::data;
using Catch::Contains;

namespace {

/// n images of 2 x 3 x 1; every pixel of image i is i mod 256, its label is i.
Dataset numbered(Index n) {
  Dataset dataset{Tensor({n, 2, 3, 1}, DType::uint8), Tensor({n}, DType::int32), static_cast<int>(n), {}};
  for (Index i = 0; i < n; ++i) {
    std::fill_n(dataset.images.data<std::uint8_t>() + i * 6, 6, static_cast<std::uint8_t>(i));
    dataset.labels.data<std::int32_t>()[i] = static_cast<std::int32_t>(i);
  }
  return dataset;
}

std::vector<std::int32_t> labels_of(const Epoch& epoch) {
  std::vector<std::int32_t> labels;
  for (const Batch& batch : epoch) {
    const auto values = batch.labels.span<std::int32_t>();
    labels.insert(labels.end(), values.begin(), values.end());
  }
  return labels;
}

std::vector<std::int32_t> ramp(int n) {
  std::vector<std::int32_t> result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), 0);
  return result;
}

}  // namespace

TEST_CASE("loader: pixels become correctly rounded fractions") {
  Tensor pixels({256}, DType::uint8);
  for (int i = 0; i < 256; ++i) pixels.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i);
  const Tensor unit = to_unit_range(pixels);
  int unlike_product = 0;
  for (int i = 0; i < 256; ++i) {
    CHECK(unit.at<float>({i}) == static_cast<float>(i / 255.0));
    unlike_product += unit.at<float>({i}) != static_cast<float>(i) * (1.0f / 255.0f);
  }
  CHECK(unlike_product > 0);  // so the test tells a division from a product
  CHECK(unit.at<float>({255}) == 1.0f);
  CHECK_THROWS_WITH(to_unit_range(unit), "to_unit_range: images are float32 (256), expected uint8");
  CHECK_THROWS_AS(to_unit_range(Tensor()), ShapeError);
  Tensor large({3, 70000}, DType::uint8);
  large.fill(51);
  const Tensor fifth = to_unit_range(large);
  for (const float x : fifth.span<float>())
    if (x != 0.2f) FAIL_CHECK(x);
}

TEST_CASE("loader: batches in order, the last one kept or dropped") {
  const Loader loader(numbered(10), {.batch_size = 4, .shuffle = false});
  CHECK(loader.batches() == 3);
  CHECK(loader.samples() == 10);
  const Epoch epoch = loader.epoch(0);
  CHECK(epoch.size() == 3);
  CHECK(epoch[0].images.shape() == Shape{4, 2, 3, 1});
  CHECK(epoch[0].images.dtype() == DType::float32);
  CHECK(epoch[2].images.shape() == Shape{2, 2, 3, 1});
  CHECK(epoch[2].size() == 2);
  CHECK(epoch[2].images.at<float>({1, 1, 2, 0}) == 9.0f / 255.0f);
  CHECK(labels_of(epoch) == ramp(10));
  CHECK_THROWS_WITH(epoch[3], "Epoch: batch 3, expected 0 to 2");
  CHECK_THROWS_AS(epoch[-1], ValueError);

  const Loader dropping(numbered(10), {.batch_size = 4, .shuffle = false, .drop_last = true});
  CHECK(dropping.batches() == 2);
  CHECK(dropping.samples() == 8);
  CHECK(labels_of(dropping.epoch(0)) == ramp(8));
  CHECK(Loader(numbered(8), {.batch_size = 4, .drop_last = true}).batches() == 2);
  CHECK(Loader(numbered(3), {.batch_size = 100}).batches() == 1);
}

TEST_CASE("loader: a shuffled epoch holds every sample once, with its image") {
  const Loader loader(numbered(200), {.batch_size = 7});
  std::vector<std::int32_t> seen;
  for (const Batch& batch : loader.epoch(2)) {
    for (Index i = 0; i < batch.size(); ++i) {
      seen.push_back(batch.labels.at<std::int32_t>({i}));
      CHECK(batch.images.at<float>({i, 1, 1, 0}) == static_cast<float>(seen.back()) / 255.0f);
    }
  }
  CHECK(seen != ramp(200));
  std::sort(seen.begin(), seen.end());
  CHECK(seen == ramp(200));
}

TEST_CASE("loader: the order is that of (seed, epoch) for any history and number of threads") {
  const auto order = [](std::uint64_t seed, Index epoch) {
    return labels_of(Loader(numbered(50), {.batch_size = 8, .seed = seed}).epoch(epoch));
  };
  const auto third = order(5, 3);
  const Loader loader(numbered(50), {.batch_size = 8, .seed = 5});
  for (const Index epoch : {0, 1, 3}) labels_of(loader.epoch(epoch));
  const int before = num_threads();
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    CHECK(labels_of(loader.epoch(3)) == third);
  }
  set_num_threads(before);
  std::set<std::vector<std::int32_t>> different{third, order(5, 0), order(5, 1), order(5, 2), order(6, 3)};
  CHECK(different.size() == 5);
  // The batch size cuts the same order.
  CHECK(labels_of(Loader(numbered(50), {.batch_size = 50, .seed = 5}).epoch(3)) == third);
  // The same order from an implementation of our definitions in Python: a seed gives the same bytes on every machine.
  const auto first = order(1, 0);
  CHECK(std::vector<std::int32_t>(first.begin(), first.begin() + 8) ==
        std::vector<std::int32_t>{25, 38, 6, 21, 2, 16, 3, 17});
}

TEST_CASE("loader: a limit takes the first samples") {
  const Loader loader(numbered(50), {.batch_size = 8, .limit = 20});
  CHECK(loader.samples() == 20);
  auto seen = labels_of(loader.epoch(0));
  std::sort(seen.begin(), seen.end());
  CHECK(seen == ramp(20));
  CHECK(Loader(numbered(50), {.limit = 100}).samples() == 50);
}

TEST_CASE("loader: an epoch outlives its loader, and large images are right") {
  const Epoch epoch = Loader(numbered(5), {.batch_size = 2, .shuffle = false}).epoch(0);
  CHECK(labels_of(epoch) == ramp(5));
  Dataset large{Tensor({3, 200, 200, 1}, DType::uint8), Tensor::zeros({3}, DType::int32), 1, {}};
  for (Index i = 0; i < large.images.size(); ++i)
    large.images.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i % 251);
  const Batch batch = gather(large, std::vector<Index>{2, 0});
  const auto pixels = batch.images.span<float>();
  for (Index i = 0; i < 40000; ++i) {
    REQUIRE(pixels[static_cast<std::size_t>(i)] == static_cast<float>((80000 + i) % 251) / 255.0f);
    REQUIRE(pixels[static_cast<std::size_t>(40000 + i)] == static_cast<float>(i % 251) / 255.0f);
  }
  CHECK_THROWS_WITH(gather(large, std::vector<Index>{3}), "gather: index 3 is outside the data set's 3 samples");
  CHECK_THROWS_AS(gather(large, std::vector<Index>{-1}), ValueError);
}

TEST_CASE("loader: options that make no sense are refused") {
  CHECK_THROWS_WITH(Loader(numbered(3), {.batch_size = 0}), "Loader: batch_size is 0, expected at least 1");
  CHECK_THROWS_WITH(Loader(numbered(3), {.limit = -1}), Contains("limit is -1"));
  CHECK_THROWS_WITH(Loader(numbered(3), {.batch_size = 4, .drop_last = true}),
                    Contains("leaves no batch: 3 samples, batch_size 4"));
  CHECK_THROWS_WITH(Loader(numbered(3)).epoch(-1), Contains("number is -1"));
  Dataset none = numbered(1);
  none.images = none.images.rows(0, 0);
  none.labels = none.labels.rows(0, 0);
  CHECK_THROWS_WITH(Loader(none), "Loader: the data set has no samples");
}

TEST_CASE("data sets whose parts do not fit together are refused") {
  const auto refused = [](const Dataset& dataset, const std::string& reason) {
    CHECK_THROWS_WITH(check_dataset(dataset, "mine"), "mine: " + reason);
  };
  Dataset dataset = numbered(3);
  check_dataset(dataset, "mine");
  dataset.labels = dataset.labels.rows(0, 2);
  refused(dataset, "3 images but 2 labels");
  dataset = numbered(3);
  dataset.classes = 2;
  refused(dataset, "label 2 is 2, expected 0 to 1");
  dataset = numbered(3);
  dataset.labels.data<std::int32_t>()[1] = -1;
  refused(dataset, "label 1 is -1, expected 0 to 2");
  dataset = numbered(3);
  dataset.class_names = {"one"};
  refused(dataset, "1 class names for 3 classes");
  dataset = numbered(3);
  dataset.classes = 0;
  refused(dataset, "0 classes, expected at least 1");
  dataset = numbered(3);
  dataset.images = dataset.images.to(DType::float32);
  refused(dataset, "images are float32 (3, 2, 3, 1), expected uint8 [N, H, W, C]");
  dataset = numbered(3);
  dataset.labels = dataset.labels.to(DType::uint8);
  refused(dataset, "labels are uint8 (3), expected int32 [N]");
  CHECK_THROWS_AS(check_dataset({}, "none"), ShapeError);
}
