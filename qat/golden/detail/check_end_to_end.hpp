// One end-to-end case.
#pragma once

#include <bitgrad/quantizers/golden/manifest.hpp>

namespace bitgrad::golden::detail {

/// Initial parameters; forward and backward for the recorded gradient of the output; training; conversion. Throws a
/// Difference for the first thing that differs.
void check_end_to_end(const EndToEndCase& c);

}  // namespace bitgrad::golden::detail
