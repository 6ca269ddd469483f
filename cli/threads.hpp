// The option --threads of the subcommands that compute.
#pragma once

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// Adds --threads. Results never depend on it.
void declare_threads(CLI::App& command, int& threads);
/// Sets the pool to `threads`, 0: one per processor, and warns on stderr where OpenBLAS runs kernels far below the
/// processor's. UsageError outside of 0 to 256.
void use_threads(int threads);

}  // namespace bitgrad::cli
