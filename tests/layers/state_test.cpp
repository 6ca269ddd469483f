#include <catch2/catch.hpp>

#include <bitgrad/layers/layers.hpp>

#include "naive_executor.hpp"

using namespace bitgrad;
using namespace support;
using Catch::Contains;

namespace {

Sequential small_model(std::uint64_t seed) {
  Sequential model(Conv2D({.filters = 2, .kernel = 3}), BatchNorm(), Flatten(), Dense({.units = 3, .bias = false}));
  model.build({4, 4, 1}, seed);
  return model;
}

/// Everything but `left_out`.
NamedTensors without(const NamedTensors& state, std::string_view left_out) {
  NamedTensors result;
  for (const auto& [name, value] : state)
    if (name != left_out) result.add(name, value);
  return result;
}

}  // namespace

TEST_CASE("the state is parameters, then buffers, copied, under their full names") {
  Sequential model = small_model(1);
  NamedTensors state = model.state_dict();
  CHECK(state.names() == std::vector<std::string>{"conv1/kernel", "conv1/bias", "bn1/gamma", "bn1/beta",
                                                  "dense1/kernel", "bn1/moving_mean", "bn1/moving_variance"});
  state.at("conv1/kernel").fill(7);
  state.at("bn1/moving_mean").fill(7);
  CHECK(model.layer("conv1").weight("kernel")->value().at<float>({0, 0, 0, 0}) != 7);
  CHECK(model.layer("bn1").buffer("moving_mean").at<float>({0}) == 0);
}

TEST_CASE("a state loads into another model of the same structure") {
  Sequential from = small_model(1), to = small_model(2);
  scramble(from, 1);
  const LoadReport report = to.load_state_dict(from.state_dict());
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(identical(from.state_dict(), to.state_dict()));
  const Tensor x = random_tensor({2, 4, 4, 1}, 5);
  CHECK(identical(from.forward(x).value(), to.forward(x).value()));
}

TEST_CASE("a complete load lists everything that is missing or unexpected, and loads nothing") {
  Sequential model = small_model(1);
  const NamedTensors before = model.state_dict();
  NamedTensors other = without(without(small_model(2).state_dict(), "bn1/gamma"), "bn1/moving_mean");
  other.add("conv9/kernel", Tensor::zeros({1}));
  CHECK_THROWS_AS(model.load_state_dict(other), ValueError);
  CHECK_THROWS_WITH(model.load_state_dict(other), Contains("missing: bn1/gamma, bn1/moving_mean") &&
                                                      Contains("unexpected: conv9/kernel") &&
                                                      Contains("nothing was loaded"));
  CHECK(identical(before, model.state_dict()));
}

TEST_CASE("a partial load takes what is there and reports the rest") {
  Sequential model = small_model(1);
  const NamedTensors before = model.state_dict();
  NamedTensors other = without(small_model(2).state_dict(), "dense1/kernel");
  other.add("conv9/kernel", Tensor::zeros({1}));
  const LoadReport report = model.load_state_dict(other, LoadMode::partial);
  CHECK(report.missing == std::vector<std::string>{"dense1/kernel"});
  CHECK(report.unexpected == std::vector<std::string>{"conv9/kernel"});
  CHECK(identical(model.state_dict().at("conv1/kernel"), other.at("conv1/kernel")));
  CHECK(identical(model.state_dict().at("dense1/kernel"), before.at("dense1/kernel")));
}

TEST_CASE("every tensor of a wrong shape or type is listed, in either mode, and nothing is loaded") {
  Sequential model = small_model(1);
  const NamedTensors before = model.state_dict();
  NamedTensors other = without(small_model(2).state_dict(), "bn1/beta");
  other.at("conv1/kernel") = Tensor::zeros({3, 3, 1, 4});
  other.at("bn1/moving_mean") = Tensor::zeros({2}, DType::float64);
  for (const LoadMode mode : {LoadMode::complete, LoadMode::partial}) {
    CHECK_THROWS_AS(model.load_state_dict(other, mode), ShapeError);
    CHECK_THROWS_WITH(model.load_state_dict(other, mode),
                      Contains("conv1/kernel is float32 (3, 3, 1, 4), expected float32 (3, 3, 1, 2)") &&
                          Contains("bn1/moving_mean is float64 (2), expected float32 (2)") &&
                          Contains("missing: bn1/beta"));
    CHECK(identical(before, model.state_dict()));
  }
}
