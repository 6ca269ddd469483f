// The clamps that follow a layer.
#pragma once

namespace bitgrad::kernels {

/// none: x itself; relu: max(x, 0); relu6: min(max(x, 0), 6). Gradients as those of elementwise.hpp.
enum class Clamp { none, relu, relu6 };

}  // namespace bitgrad::kernels
