// The quantizers that come with bitgrad.
#pragma once

namespace bitgrad {

/// Registers them all. The registry calls it before its first look-up; nobody else has to.
void register_builtin_quantizers();

}  // namespace bitgrad
