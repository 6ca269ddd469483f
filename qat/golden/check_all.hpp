// Golden vectors of the reference system, those included that need layers.
#pragma once

#include <bitgrad/quantizers/golden/check.hpp>

namespace bitgrad::golden {

/// check_quantizers() and, through the quantization wrapper and activation holders, the end-to-end cases and the
/// wrappers that must be refused. The reference's tensors are channels first and are transposed here: images NCHW to
/// NHWC, kernels OIHW to HWIO and [out, in] to [in, out]; positions in the report are the reference's.
Report check_golden(const Manifest& manifest);

}  // namespace bitgrad::golden
