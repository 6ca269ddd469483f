#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

TEST_CASE("batch_norm by hand") {
  const Tensor x = Tensor::from({4, 2}, {1, 10, 3, 10, 5, 30, 7, 30});  // means 4, 20; variances 5, 100
  const BatchNormResult result = batch_norm(x, Tensor::from({2}, {2, 1}), Tensor::from({2}, {0.5f, -1}), 1e-3);
  CHECK(identical(result.mean, Tensor::from({2}, {4, 20})));
  CHECK(identical(result.variance, Tensor::from({2}, {5, 100})));
  Tensor expected({4, 2}, DType::float64);
  for (Index i = 0; i < 4; ++i) {
    expected.at<double>({i, 0}) = (static_cast<double>(x.at<float>({i, 0})) - 4) / std::sqrt(5 + 1e-3) * 2 + 0.5;
    expected.at<double>({i, 1}) = (static_cast<double>(x.at<float>({i, 1})) - 20) / std::sqrt(100 + 1e-3) - 1;
  }
  CHECK(distance(result.y.value(), expected) < 3e-7);
}

TEST_CASE("gradients of batch_norm") {
  for (const Shape& shape : {Shape{5, 3}, Shape{2, 1}, Shape{2, 3, 4, 2}, Shape{1, 2, 1, 5}, Shape{3, 1, 1, 7}}) {
    INFO(shape);
    const Index c = shape[-1];
    const auto f = [](const std::vector<Variable>& v) { return batch_norm(v[0], v[1], v[2], 1e-2).y; };
    check_gradient(f, {uniform(shape, 1, -2, 3), uniform({c}, 2, 0.5, 2), uniform({c}, 3)});
  }
  const auto f = [](const std::vector<Variable>& v) { return batch_norm(v[0], v[1], v[2]).y; };
  for (const Index c : {1, 3, 16, 33})
    check_float32(f, {uniform({16, 20, 9, c}, 1, -2, 3), uniform({c}, 2, 0.5, 2), uniform({c}, 3)}, 1e-5);
}

TEST_CASE("batch_norm keeps its digits when the mean is large") {
  const Index n = 1 << 16;
  Tensor x = uniform({n, 1}, 1, 1000, 1001, DType::float32);
  const BatchNormResult result = batch_norm(x, Tensor::full({1}, 1), Tensor::zeros({1}));
  const BatchNormResult exact =
      batch_norm(x.to(DType::float64), Tensor::full({1}, 1, DType::float64), Tensor::zeros({1}, DType::float64));
  CHECK(result.variance.item() == Approx(exact.variance.item()).epsilon(1e-6));
  CHECK(distance(result.y.value(), exact.y.value()) < 2e-4);  // half an ulp of the float32 mean is 3e-5, over 0.29
}

TEST_CASE("layer_norm by hand") {
  const Tensor x = Tensor::from({2, 4}, {1, 3, 5, 7, 10, 10, 30, 30});  // means 4, 20; variances 5, 100
  const Tensor gamma = Tensor::from({4}, {2, 1, -1, 3}), beta = Tensor::from({4}, {0.5f, -1, 0, 1});
  Tensor expected({2, 4}, DType::float64);
  for (Index r = 0; r < 2; ++r)
    for (Index c = 0; c < 4; ++c)
      expected.at<double>({r, c}) = (static_cast<double>(x.at<float>({r, c})) - (r == 0 ? 4 : 20)) /
                                        std::sqrt((r == 0 ? 5 : 100) + 1e-3) *
                                        static_cast<double>(gamma.at<float>({c})) +
                                    static_cast<double>(beta.at<float>({c}));
  CHECK(distance(layer_norm(x, gamma, beta).value(), expected) < 1e-6);
  CHECK(identical(layer_norm(Tensor::full({3, 5}, 7), Tensor::full({5}, 2), Tensor::full({5}, 0.25)).value(),
                  Tensor::full({3, 5}, 0.25)));
  CHECK(layer_norm(Tensor::zeros({0, 3}), Tensor::zeros({3}), Tensor::zeros({3})).shape() == Shape{0, 3});
}

TEST_CASE("gradients of layer_norm") {
  for (const Shape& shape : {Shape{5, 3}, Shape{2, 1}, Shape{2, 3, 2, 4}, Shape{4}, Shape{3, 19}}) {
    INFO(shape);
    const Index c = shape[-1];
    const auto f = [](const std::vector<Variable>& v) { return layer_norm(v[0], v[1], v[2], 1e-2); };
    check_gradient(f, {uniform(shape, 1, -2, 3), uniform({c}, 2, 0.5, 2), uniform({c}, 3)});
  }
  const auto f = [](const std::vector<Variable>& v) { return layer_norm(v[0], v[1], v[2]); };
  for (const Index c : {16, 33, 700})
    check_float32(f, {uniform({16, 20, c}, 1, -2, 3), uniform({c}, 2, 0.5, 2), uniform({c}, 3)}, 1e-4);
}
