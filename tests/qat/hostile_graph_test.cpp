// Graphs whose numbers would make sizes and products wrap are refused before anything is allocated.
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>

#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/inference/session.hpp>
#include "qat/inference_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;
using Catch::Contains;

namespace {

constexpr Index huge = Index{1} << 61;

/// An image (h, w, 1), a 1x1 convolution, and averages of windows.
InferenceGraph pooled(Index side, PoolWindow window, const Grid& x, const Grid& held, const Grid& y) {
  InferenceGraphBuilder builder({side, side, 1});
  builder.set_layer_name("x");
  GraphValue value = builder.quantize(builder.input(), activations(x));
  builder.set_layer_name("conv");
  const WeightQuantizers kernel = kernel_on(signed_grid(2, 1));
  const InferenceGraphBuilder::WeightScope scope(builder, kernel);
  value = builder.conv2d(value, {}, {"kernel", floats({1, 1, 1, 1}, {1})}, {"bias", Tensor()});
  value = builder.quantize(value, activations(held));
  builder.set_layer_name("pool");
  return builder.finish(
      builder.quantize(builder.average_pool2d(value, window, {1, 1}, Padding::valid()), activations(y)));
}

InferenceGraph small() {
  const Grid grid = signed_grid(8, 1);
  return pooled(4, {2, 2}, grid, grid, grid);
}

template <class Operation>
Operation& only(InferenceGraph& graph) {
  for (GraphNode& node : graph.nodes)
    if (auto* found = std::get_if<Operation>(&node.operation)) return *found;
  throw std::logic_error("no such operation");
}

void refuses(const std::function<void(InferenceGraph&)>& change, const std::string& why) {
  InferenceGraph graph = small();
  REQUIRE_NOTHROW(graph.validate());
  change(graph);
  CHECK_THROWS_WITH(graph.validate(), Contains(why));
}

}  // namespace

TEST_CASE("extents that are 0, and sizes that would wrap, are refused") {
  refuses([](auto& g) { g.tensors[0].shape = {0, 4, 1}; }, "has shape (0, 4, 1), expected extents of 1 to");
  refuses([](auto& g) { g.tensors[0].shape = {Index{1} << 40, 4, 1}; }, "expected extents of 1 to");
  refuses([](auto& g) { g.tensors[0].shape = {Index{1} << 30, 8, 1}; }, "elements");
}

TEST_CASE("windows, strides and padding that would make a geometry wrap are refused") {
  const auto conv = [](InferenceGraph& g) -> Conv2DArguments& { return only<IntegerConv2D>(g).window; };
  refuses([&](auto& g) { conv(g).stride = {1, huge}; }, "field stride has");
  refuses([&](auto& g) { conv(g).padding = Padding::explicit_(0, 0, huge, huge); }, "field padding has");
  refuses([&](auto& g) { conv(g).dilation = {huge, 1}; }, "field dilation has");
  refuses([&](auto& g) { conv(g).padding = Padding::explicit_(1 << 20, 0, 1 << 20, 0); },
          "the image with its padding has");
  const auto pool = [](InferenceGraph& g) -> IntegerAveragePool2D& { return only<IntegerAveragePool2D>(g); };
  refuses(
      [&](auto& g) {
        pool(g).window = {Index{1} << 32, Index{1} << 32}, pool(g).padding = Padding::same();
      },
      "field window has");
  refuses([&](auto& g) { pool(g).stride = {huge, 1}; }, "field stride has");
  refuses([&](auto& g) { pool(g).padding = Padding::explicit_(huge, 0, 0, 0); }, "field padding has");
}

TEST_CASE("multipliers beyond fixed point are told from none") {
  const inference::FixedPoint most{std::numeric_limits<std::int32_t>::max(), 32};
  for (const double real : {0x1p31, 1e60, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    CHECK(inference::fixed_point(real).value == most.value);
    CHECK(inference::fixed_point(real).shift == most.shift);
  }
}

TEST_CASE("modes refuse sums, products and scales that their arithmetic does not hold") {
  const auto refused = [](InferenceGraph graph, RequantizationMode mode, const std::string& why) {
    INFO(name_of(mode));
    CHECK_THROWS_WITH(set_requantization(graph, mode), Contains(why));
  };
  const Grid one = signed_grid(8, 1), wide = signed_grid(8, 0x1p22F), fine = signed_grid(8, 0x1p-22F);
  for (const RequantizationMode mode : {RequantizationMode::tflm_double, RequantizationMode::single}) {
    refused(pooled(4, {2, 2}, wide, one, one), mode, "\"conv\" has accumulators in channel 0");
    refused(pooled(4, {2, 2}, wide, wide, one), mode, "\"pool\" has sums");
  }
  refused(pooled(4, {2, 2}, signed_grid(8, 1e30F), signed_grid(8, 1e30F), signed_grid(8, 1e-30F)),
          RequantizationMode::xnnpack, "scales too far apart");
  refused(pooled(4096, {4096, 4096}, one, one, one), RequantizationMode::xnnpack, "which 32 bits do not hold");
  InferenceGraph taken = pooled(4, {2, 2}, one, one, fine);
  CHECK_NOTHROW(set_requantization(taken, RequantizationMode::xnnpack));
}

TEST_CASE("a session asks whether its graph's mode has arithmetic for it") {
  InferenceGraph graph = pooled(4, {2, 2}, signed_grid(12, 1), signed_grid(8, 1), signed_grid(8, 1));
  CHECK_NOTHROW(InferenceSession(graph));
  graph.mode = RequantizationMode::single;
  CHECK_THROWS_WITH(InferenceSession(graph), Contains("requantization single") && Contains("at most 8 bits"));
}
