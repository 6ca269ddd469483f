// What the tests of the exporters export.
#pragma once

#include <vector>

#include "qat/inference_support.hpp"

namespace bitgrad::test {

/// input (2, 2, 1) → 8 bits → convolution 1x1 to 2 channels → hold → flatten → dense.
inline InferenceGraph small_graph(const Grid& held, const Grid& weights, const std::vector<float>& kernel = {3, -4}) {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("input/out");
  GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 256)));
  const WeightQuantizers quantizers = kernel_on(weights);
  builder.set_layer_name("conv");
  {
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    x = builder.conv2d(x, {.padding = Padding::valid()}, {"kernel", floats({1, 1, 1, 2}, kernel)},
                       {"bias", floats({2}, {1, -1})});
  }
  builder.set_layer_name("conv/out");
  x = builder.quantize(x, activations(held));
  builder.set_layer_name("flatten");
  x = builder.reshape(x, {8});
  const WeightQuantizers dense = kernel_on(signed_grid(8, 1));
  builder.set_layer_name("dense");
  const InferenceGraphBuilder::WeightScope scope(builder, dense);
  return builder.finish(builder.dense(x, {"kernel", floats({8, 3}, std::vector<float>(24, 1))}, {"bias", Tensor()}));
}

}  // namespace bitgrad::test
