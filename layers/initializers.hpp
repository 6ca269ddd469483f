// First values of weights.
#pragma once

#include <functional>

#include <bitgrad/core/random.hpp>
#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// Makes a float32 tensor of the shape asked for, drawing from `random`.
using Initializer = std::function<Tensor(const Shape& shape, Random& random)>;

/// Number of inputs that meet in one output, and of outputs that one input reaches.
struct Fans {
  Index in;
  Index out;
};

/// Of a Dense kernel [in, out] or a convolution's [kh, kw, in / groups, out], whose fans are kh*kw*(in / groups) and
/// kh*kw*out: a shape does not tell the groups, so out counts those of all groups together, as PyTorch does. ShapeError
/// for other ranks.
Fans fans(const Shape& kernel);

namespace initializers {

/// Every element 0, 1 or `value`.
Initializer zeros();
Initializer ones();
Initializer constant(float value);

/// Normal with deviation sqrt(2 / fan_in), for layers followed by a ReLU. Not truncated. He, Zhang, Ren, Sun, "Delving
/// Deep into Rectifiers", ICCV 2015, equation 10.
Initializer he_normal();
/// Uniform within +-sqrt(6 / fan_in): the same variance. He et al. 2015.
Initializer he_uniform();
/// Uniform within +-sqrt(6 / (fan_in + fan_out)). Glorot, Bengio, "Understanding the difficulty of training deep
/// feedforward neural networks", AISTATS 2010, equation 16.
Initializer glorot_uniform();
/// Normal with deviation sqrt(2 / (fan_in + fan_out)). Not truncated. Glorot, Bengio 2010, equation 12.
Initializer glorot_normal();

}  // namespace initializers
}  // namespace bitgrad
