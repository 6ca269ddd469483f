// The option --threads of the subcommands that compute.
#pragma once

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bitgrad::cli {

/// Adds --threads. Results never depend on it.
CLI::Option* declare_threads(CLI::App& command, int& threads);
/// UsageError outside of 0 to 256.
void check_threads(int threads);
/// Sets the pool to `threads`, 0: one per processor, and warns on stderr where OpenBLAS runs kernels far below the
/// processor's. UsageError as check_threads().
void use_threads(int threads);

}  // namespace bitgrad::cli
