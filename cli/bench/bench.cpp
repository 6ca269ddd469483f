// bitgrad bench
#include <CLI/App.hpp>

#include <bitgrad/cli/bench/commands.hpp>
#include <bitgrad/cli/commands.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Measures on synthetic data. On a machine with other work figures are worth little: compare only what was measured in
turn, and by medians. Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first: they slow OpenBLAS down.

Examples:
    bitgrad bench train --model resnet8 --mode lsq --batch 32
    bitgrad bench train --help)";

}  // namespace

void add_bench_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("bench", "Measure speed and memory");
  command->require_subcommand(1);
  command->footer(help);
  add_bench_train_command(*command);
  add_bench_infer_command(*command);
  add_bench_kernels_command(*command);
  add_bench_scale_command(*command);
}

}  // namespace bitgrad::cli
