#include <catch2/catch.hpp>

#include <cmath>

#include <bitgrad/layers/initializers.hpp>

using namespace bitgrad;

namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const Initializer& initializer, const Shape& shape) {
  Random random(4);
  const Tensor x = initializer(shape, random);
  REQUIRE(x.shape() == shape);
  Moments result;
  for (const float e : x.span<float>()) {
    result.mean += static_cast<double>(e) / static_cast<double>(x.size());
    result.deviation += static_cast<double>(e) * static_cast<double>(e) / static_cast<double>(x.size());
    result.largest = std::max(result.largest, std::abs(static_cast<double>(e)));
  }
  result.deviation = std::sqrt(result.deviation - result.mean * result.mean);
  return result;
}

}  // namespace

TEST_CASE("fans of dense and convolution kernels") {
  CHECK(fans({7, 5}).in == 7);
  CHECK(fans({7, 5}).out == 5);
  CHECK(fans({3, 5, 2, 8}).in == 30);
  CHECK(fans({3, 5, 2, 8}).out == 120);
  CHECK_THROWS_WITH(fans({3}), "fans: kernel of shape (3), expected [in, out] or [kh, kw, in, out]");
}

TEST_CASE("initial weights have the deviations of their papers") {
  const Shape dense{200, 100}, conv{3, 3, 16, 64};
  const auto check = [](const Moments& found, double deviation) {
    CHECK(found.deviation == Approx(deviation).epsilon(0.03));
    CHECK(std::abs(found.mean) < 0.03 * deviation);
  };
  check(moments(initializers::he_normal(), dense), std::sqrt(2 / 200.0));
  check(moments(initializers::he_normal(), conv), std::sqrt(2 / 144.0));
  check(moments(initializers::he_uniform(), conv), std::sqrt(2 / 144.0));
  check(moments(initializers::glorot_uniform(), dense), std::sqrt(2 / 300.0));
  check(moments(initializers::glorot_normal(), conv), std::sqrt(2 / 720.0));
  CHECK(moments(initializers::glorot_uniform(), dense).largest == Approx(std::sqrt(6 / 300.0)).epsilon(0.01));
  CHECK(moments(initializers::he_uniform(), dense).largest == Approx(std::sqrt(6 / 200.0)).epsilon(0.01));
  CHECK(moments(initializers::he_normal(), dense).largest > 3 * std::sqrt(2 / 200.0));
}

TEST_CASE("constant initial weights") {
  Random random(1);
  CHECK(identical(initializers::zeros()({2}, random), Tensor::from({2}, {0, 0})));
  CHECK(identical(initializers::ones()({2}, random), Tensor::from({2}, {1, 1})));
  CHECK(identical(initializers::constant(-0.5F)({2, 1}, random), Tensor::from({2, 1}, {-0.5F, -0.5F})));
}
