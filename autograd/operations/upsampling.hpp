// Enlarging images, channels last.
#pragma once

#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/kernels/upsample.hpp>

namespace bitgrad {

/// x [N, H, W, C] → [N, H * factor.h, W * factor.w, C]. Throws ShapeError for a rank other than 4, ValueError for
/// factors below 1.
Variable upsample2d(const Variable& x, UpsampleFactor factor = {},
                    Interpolation interpolation = Interpolation::nearest);

}  // namespace bitgrad
