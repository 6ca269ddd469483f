// Named tensors from a file of either format.
#pragma once

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad::io {

/// The tensors of an .npz or a .safetensors file, whichever it is by its first bytes, whatever its name. IoError naming
/// the path.
NamedTensors read_tensor_file(const Path& path);

}  // namespace bitgrad::io
