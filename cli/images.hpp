// Images that a user hands over as an array.
#pragma once

#include <string>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad::cli {

/// float32 [n, sample...] of a .npy file: float32 as it is, or uint8 divided by 255. A last axis of one channel may be
/// left out. IoError, and ShapeError naming the file for another shape or dtype.
Tensor read_images(const std::string& path, const Shape& sample);

}  // namespace bitgrad::cli
