#include <catch2/catch.hpp>

#include <bitgrad/layers/layers.hpp>

#include "naive_executor.hpp"

using namespace bitgrad;
using namespace support;

namespace {

Sequential built_norm(BatchNormOptions options = {}) {
  Sequential model{BatchNorm(std::move(options))};
  model.build({2});
  return model;
}

const Tensor batch = Tensor::from({4, 2}, {1, 10, 3, 10, 5, 20, 7, 40});  // means 4, 20; biased variances 5, 150

}  // namespace

TEST_CASE("training normalises by the batch and moves the statistics") {
  Sequential model = built_norm({.momentum = 0.75F, .epsilon = 1});
  const auto& norm = model.layer_as<BatchNorm>("bn1");
  const Tensor y = model.forward(batch, {.training = true}).value();
  CHECK(y.at<float>({0, 0}) == Approx((1 - 4) / std::sqrt(5 + 1.0)));
  CHECK(y.at<float>({3, 1}) == Approx((40 - 20) / std::sqrt(150 + 1.0)));
  // 0.75 * 0 + 0.25 * mean; 0.75 * 1 + 0.25 * variance * 4/3
  CHECK(norm.buffer("moving_mean").at<float>({0}) == Approx(1));
  CHECK(norm.buffer("moving_mean").at<float>({1}) == Approx(5));
  CHECK(norm.buffer("moving_variance").at<float>({0}) == Approx(0.75 + 5 / 3.0));
  CHECK(norm.buffer("moving_variance").at<float>({1}) == Approx(0.75 + 50));
}

TEST_CASE("inference uses the moving statistics and leaves them alone") {
  Sequential model = built_norm();
  const NamedTensors before = model.state_dict();
  const Tensor y = model.forward(batch).value();
  CHECK(y.at<float>({3, 1}) == Approx(40 / std::sqrt(1.001)));
  CHECK(identical(before, model.state_dict()));
}

TEST_CASE("frozen statistics: training computes as inference does, and still trains gamma and beta") {
  Sequential model = built_norm();
  auto& norm = model.layer_as<BatchNorm>("bn1");
  scramble(model, 3);
  const NamedTensors before = model.state_dict();
  norm.set_frozen(true);
  CHECK(identical(model.forward(batch, {.training = true}).value(), model.forward(batch).value()));
  CHECK(identical(before, model.state_dict()));
  {
    Tape tape;
    const Variable y = model.forward(batch, {.training = true});
    tape.backward(y, Tensor::full(y.shape(), 1));
  }
  CHECK(norm.weight("beta")->gradient().at<float>({0}) == 4);
  CHECK(norm.weight("gamma")->gradient().at<float>({0}) != 0);
  CHECK(Model(model).layer_as<BatchNorm>("bn1").frozen());

  norm.set_frozen(false);
  model.forward(batch, {.training = true});
  CHECK_FALSE(identical(before, model.state_dict()));
}

TEST_CASE("the moving statistics of many batches approach those of the data") {
  Sequential model = built_norm();
  for (std::uint64_t step = 0; step < 150; ++step) {
    Tensor x({64, 2});
    Random(step).fill_normal(x, 3, 2);
    model.forward(x, {.training = true});
  }
  const auto& norm = model.layer_as<BatchNorm>("bn1");
  CHECK(norm.buffer("moving_mean").at<float>({0}) == Approx(3).margin(0.3));
  CHECK(norm.buffer("moving_variance").at<float>({1}) == Approx(4).epsilon(0.2));
}
