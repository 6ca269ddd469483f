// Images that a user hands over as an array.
#pragma once

#include <string>

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::cli {

/// float32 [n, shape of the graph's input...] of a .npy file: float32 as it is, or uint8 divided by 255. A last axis of
/// one channel may be left out. IoError; ShapeError naming the file for another shape or dtype; ValueError for what is
/// not finite, and for values far outside of what the graph takes: pixels of 0 to 255, say, in float32.
Tensor read_images(const std::string& path, const InferenceGraph& graph);

}  // namespace bitgrad::cli
