// The operations of a graph that stay in float32.
#pragma once

#include <span>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

/// One Float* operation, or one that moves data, over a batch of float32 tensors [n, shape...]; `output` is its tensor.
/// Every sample gives the same bytes whatever the batch. The node must have passed validate().
Tensor run_float(const GraphOperation& operation, const GraphTensor& output, std::span<const Tensor> inputs);

}  // namespace bitgrad::inference
