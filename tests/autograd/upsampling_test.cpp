#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

TEST_CASE("upsampling by hand") {
  const Tensor x = Tensor::from({1, 1, 2, 2}, {1, 10, 3, 30});
  CHECK(
      identical(upsample2d(x, {2, 3}).value(), Tensor::from({1, 2, 6, 2}, {1, 10, 1, 10, 1, 10, 3, 30, 3, 30, 3, 30,  //
                                                                           1, 10, 1, 10, 1, 10, 3, 30, 3, 30, 3, 30})));
  // Quarters between the centres, the border repeated.
  CHECK(identical(upsample2d(x, {1, 2}, Interpolation::bilinear).value(),
                  Tensor::from({1, 1, 4, 2}, {1, 10, 1.5f, 15, 2.5f, 25, 3, 30})));
  CHECK(distance(upsample2d(Tensor::from({1, 2, 1, 1}, {0, 6}), {3, 1}, Interpolation::bilinear).value(),
                 Tensor::from({1, 6, 1, 1}, {0, 0, 2, 4, 6, 6})) < 1e-6);
  CHECK(upsample2d(Tensor::zeros({0, 2, 2, 1})).shape() == Shape{0, 4, 4, 1});
  CHECK(error_of<ShapeError>([&] {
          upsample2d(Tensor::zeros({2, 2}));
        }) == "upsample2d: input is (2, 2), expected (N, H, W, C)");
  CHECK(error_of<ValueError>([&] {
          upsample2d(x, {0, 1});
        }) == "upsample2d: the factor is (0, 1), expected at least 1");
}

TEST_CASE("gradients of upsampling, the same bits for any number of threads") {
  for (const auto interpolation : {Interpolation::nearest, Interpolation::bilinear})
    for (const auto& [shape, factor] : {std::pair{Shape{2, 3, 4, 2}, UpsampleFactor{2, 2}},
                                        {Shape{1, 1, 1, 1}, UpsampleFactor{3, 2}},
                                        {Shape{3, 2, 5, 3}, UpsampleFactor{1, 4}}}) {
      const UpsampleFactor times = factor;
      const auto f = [=](const std::vector<Variable>& v) { return upsample2d(v[0], times, interpolation); };
      check_gradient(f, {uniform(shape, 1)});
      check_float32(f, {uniform(shape, 1)}, 1e-5);
    }
}
