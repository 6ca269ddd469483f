// The quantizers that a program knows, for its help.
#pragma once

#include <string>

namespace bitgrad::cli {

/// One line for each identifier of a registered trainable quantizer, sorted: "  lsq   weights, activations   pot,
/// symmetric", the grids of both when they differ. Empty lines nowhere, a line feed at the end of each.
std::string quantizer_list();

}  // namespace bitgrad::cli
