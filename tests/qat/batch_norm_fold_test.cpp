#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

#include <bitgrad/qat/batch_norm_fold.hpp>

using namespace bitgrad;

namespace {

Tensor vector(std::initializer_list<float> values) { return Tensor::from({static_cast<Index>(values.size())}, values); }

}  // namespace

TEST_CASE("batch norm fold: gains in float32, floored, offsets rounded once") {
  const BatchNormFold fold = fold_batch_norm(vector({3, 1, -2, 1e-9F}), vector({1, 0.5F, 0, 0}), vector({2, -1, 4, 0}),
                                             vector({3, 15, 1, 1}), 1.0F, {});
  // sqrt(variance + 1) = 2, 4, sqrt(2), sqrt(2)
  CHECK(fold.gain == std::vector<float>{1.5F, 0.25F, minimum_gain, minimum_gain});
  CHECK(fold.offset[0] == 1.0F - 2.0F * 1.5F);
  CHECK(fold.offset[1] == 0.75F);
  CHECK(fold.offset[2] == static_cast<float>(-4.0 * static_cast<double>(minimum_gain)));
  CHECK(fold.offset[3] == 0.0F);
}

TEST_CASE("batch norm fold: the layer's bias goes through the gain") {
  const BatchNormFold fold =
      fold_batch_norm(vector({2}), vector({1}), vector({0.5F}), vector({4}), 0.0F, vector({3.5F}));
  CHECK(fold.gain[0] == 1.0F);
  CHECK(fold.offset[0] == 4.0F);
}

TEST_CASE("batch norm fold: one rounding of the offset") {
  // 1 + 2^-24 is no float32: with the product rounded on its own the second term would be lost.
  const float tiny = 0x1p-24F;
  const BatchNormFold fold =
      fold_batch_norm(vector({1}), vector({-1}), vector({-1.0F}), vector({1}), 0.0F, vector({tiny}));
  CHECK(fold.offset[0] == tiny);
}

TEST_CASE("batch norm fold: the quotient is that of float32, not of double") {
  const float gamma = 0.7F, variance = 0.3F, epsilon = 1e-3F;
  const BatchNormFold fold =
      fold_batch_norm(vector({gamma}), vector({0}), vector({0}), vector({variance}), epsilon, {});
  const volatile float sum = variance + epsilon;
  const volatile float root = std::sqrt(sum);
  CHECK(fold.gain[0] == gamma / root);
}

TEST_CASE("bias level: half to even of a quotient in double") {
  CHECK(bias_level(0.25F, 0.1F) == std::nearbyint(0.25 / static_cast<double>(0.1F)));
  CHECK(bias_level(1.25F, 0.5F) == 2.0);
  CHECK(bias_level(1.75F, 0.5F) == 4.0);
  CHECK(bias_level(-1.25F, 0.5F) == -2.0);
  // 2^25 + 1 units is beyond float32's integers, not beyond double's.
  CHECK(bias_level(1.0F, 1.0F / 3.0F) == 3.0);
  CHECK(bias_level(1e10F, 0.1F) == std::nearbyint(1e10 / static_cast<double>(0.1F)));
}

TEST_CASE("batch norm fold refuses what is no normalisation") {
  const Tensor one = vector({1}), two = vector({1, 1});
  CHECK_THROWS_WITH(fold_batch_norm(two, one, two, two, 0, {}),
                    Catch::Contains("beta") && Catch::Contains("(1)") && Catch::Contains("(2)"));
  CHECK_THROWS_AS(fold_batch_norm(one, one, one, Tensor(), 0, {}), ShapeError);
  CHECK_THROWS_AS(fold_batch_norm(one, one, one, one, 0, two), ShapeError);
  CHECK_THROWS_WITH(fold_batch_norm(two, two, two, vector({1, 0}), 0, {}), Catch::Contains("channel 1"));
  CHECK_THROWS_AS(fold_batch_norm(one, one, one, vector({-1}), 0.5F, {}), ValueError);
  CHECK_THROWS_AS(fold_batch_norm(one, one, one, vector({std::numeric_limits<float>::quiet_NaN()}), 0.5F, {}),
                  ValueError);
  CHECK_THROWS_AS(fold_batch_norm(vector({std::numeric_limits<float>::quiet_NaN()}), one, one, one, 0, {}), ValueError);
}
