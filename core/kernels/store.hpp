// What a kernel does to the elements that it writes.
#pragma once

namespace bitgrad::kernels {

/// Gradients add to what earlier operations left, or are the first to come: then nothing has to be set to zero before.
enum class Store { overwrite, add };

}  // namespace bitgrad::kernels
