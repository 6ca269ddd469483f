// Mean and deviation of a data set's channels.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/error.hpp>

using namespace bitgrad;
using Catch::Contains;

TEST_CASE("channels have their own mean and deviation, in units of networks") {
  Tensor images({2, 1, 2, 3}, DType::uint8);
  const std::uint8_t pixels[] = {0, 10, 7, 255, 20, 7, 0, 30, 7, 255, 40, 7};
  std::ranges::copy(pixels, images.span<std::uint8_t>().begin());
  const auto [mean, deviation] = data::channel_statistics(images);
  REQUIRE(mean.shape() == Shape{3});
  CHECK(mean.at<float>({0}) == 0.5F);
  CHECK(mean.at<float>({1}) == Approx(25.0 / 255));
  CHECK(mean.at<float>({2}) == Approx(7.0 / 255));
  CHECK(deviation.at<float>({0}) == 0.5F);
  CHECK(deviation.at<float>({1}) == Approx(std::sqrt(125.0) / 255));
  CHECK(deviation.at<float>({2}) == 1);  // the same everywhere
  CHECK_THROWS_WITH(data::channel_statistics(Tensor({2, 3, 3, 1})), Contains("expected uint8 [N, H, W, C]"));
  CHECK_THROWS_WITH(data::channel_statistics(Tensor({0, 3, 3, 1}, DType::uint8)), Contains("no pixels"));
}
