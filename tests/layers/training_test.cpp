// Small models learn small problems.
#include <catch2/catch.hpp>

#include <bitgrad/core/parallel.hpp>
#include <bitgrad/layers/layers.hpp>
#include <bitgrad/layers/metrics.hpp>

#include "training.hpp"

using namespace bitgrad;
using namespace support;

namespace {

struct Samples {
  Tensor x, labels;
};

/// Points on two spirals that wind around each other.
Samples spirals(Index count, std::uint64_t seed) {
  Samples result{Tensor({count, 2}), Tensor({count}, DType::int32)};
  Random random(seed);
  for (Index i = 0; i < count; ++i) {
    const auto label = static_cast<std::int32_t>(i % 2);
    const float t = random.uniform(0.3F, 1.0F), angle = 4.5F * t + 3.14159265F * static_cast<float>(label);
    result.x.at<float>({i, 0}) = t * std::cos(angle) + random.normal(0.0F, 0.01F);
    result.x.at<float>({i, 1}) = t * std::sin(angle) + random.normal(0.0F, 0.01F);
    result.labels.at<std::int32_t>({i}) = label;
  }
  return result;
}

/// Images of noise with one bright line: across (0), down (1) or on a diagonal (2), anywhere.
Samples lines(Index count, std::uint64_t seed) {
  Samples result{Tensor({count, 8, 8, 1}), Tensor({count}, DType::int32)};
  Random random(seed);
  random.fill_uniform(result.x, 0, 0.5);
  for (Index i = 0; i < count; ++i) {
    const Index kind = i % 3, at = random.below(8);
    for (Index k = 0; k < 8; ++k)
      result.x.at<float>({i, kind == 0 ? at : k, kind == 1 ? at : kind == 0 ? k : (k + at) % 8, 0}) += 0.7F;
    result.labels.at<std::int32_t>({i}) = static_cast<std::int32_t>(kind);
  }
  return result;
}

double train(Model& model, const Samples& samples, Index steps, Index batch, double rate) {
  const Index count = samples.labels.size();
  double loss = 0;
  for (Index i = 0; i < steps; ++i) {
    const Index begin = i * batch % (count - batch + 1) / batch * batch;
    loss = step(model, samples.x.rows(begin, begin + batch), samples.labels.rows(begin, begin + batch), rate,
                static_cast<std::uint64_t>(i));
  }
  return loss;
}

double accuracy_on(Model& model, const Samples& samples) {
  return accuracy(model.forward(samples.x).value(), samples.labels);
}

Sequential line_model() {
  Sequential model(Conv2D({.filters = 8, .kernel = 3, .bias = false}), BatchNorm(), ReLU(), MaxPool2D(),
                   residual(Sequential(Conv2D({.filters = 8, .kernel = 3, .bias = false}), BatchNorm())), ReLU(),
                   Flatten(), Dropout({.rate = 0.2F}), Dense({.units = 3}));
  model.build({8, 8, 1}, 5);
  return model;
}

}  // namespace

TEST_CASE("a perceptron tells two spirals apart") {
  Sequential model(Dense({.units = 32, .initializer = initializers::he_normal()}), ReLU(),
                   Dense({.units = 32, .initializer = initializers::he_normal()}), ReLU(), Dense({.units = 2}));
  model.build({2}, 1);
  const Samples known = spirals(200, 1), unknown = spirals(200, 2);
  CHECK(accuracy_on(model, known) < 0.8);
  train(model, known, 1500, 200, 0.3);
  CHECK(accuracy_on(model, known) >= 0.99);
  CHECK(accuracy_on(model, unknown) >= 0.97);
}

TEST_CASE("a convolutional model with a residual block recognises lines") {
  Sequential model = line_model();
  const Samples known = lines(300, 1), unknown = lines(300, 2);
  CHECK(accuracy_on(model, unknown) < 0.7);
  train(model, known, 150, 50, 0.1);
  CHECK(accuracy_on(model, known) >= 0.99);
  CHECK(accuracy_on(model, unknown) >= 0.97);
}

TEST_CASE("training gives the same bytes for any number of threads") {
  const Samples known = lines(96, 1);
  const auto trained = [&](int threads) {
    set_num_threads(threads);
    Sequential model = line_model();
    train(model, known, 10, 32, 0.1);
    return model.state_dict();
  };
  const int before = num_threads();
  const NamedTensors one = trained(1), two = trained(2), five = trained(5);
  set_num_threads(before);
  CHECK(identical(one, two));
  CHECK(identical(one, five));
  CHECK_FALSE(identical(one, line_model().state_dict()));
}
