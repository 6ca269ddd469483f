// bitgrad quantizers
#include <CLI/App.hpp>
#include <iostream>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/quantizer_list.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(A grid is what follows the bits in a SPEC; where it is left out it is symmetric, or else the first one listed.

Examples:
    bitgrad quantizers
    bitgrad train --model lenet5 --qat-epochs 2 --weights lsq-plus:4:uniform --activations lsq-plus:4 \
        --out runs/lsq-plus)";

}  // namespace

void add_quantizers_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("quantizers", "List the trainable quantizers and their grids");
  command->footer(help);
  command->callback([] { std::cout << quantizer_list() << std::flush; });
}

}  // namespace bitgrad::cli
