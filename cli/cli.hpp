// The bitgrad program as a library.
#pragma once

namespace bitgrad::cli {

/// What the bitgrad program does: parses the arguments (argv[0] is the program), runs the subcommand, and returns the
/// exit code: 0, 1 after an error, 2 after wrong usage, 3 where a comparison (golden, verify) could not read its input
/// and 130 after an interruption, each reported in one line on std::cerr. Programs with quantizers of their own call
/// register_quantizer() first and keep every subcommand.
int run(int argc, const char* const* argv);

}  // namespace bitgrad::cli
