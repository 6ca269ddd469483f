// bitgrad check
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/core/suggest.hpp>
#include <bitgrad/quantizers/conformance.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Builds every quantizer of that name, for weights and for activations, in each of its grids, bit widths and channel
axes, and checks what training, conversion and inference rely on: gradients, rounding, levels, conversion, awkward
inputs, threads. A finding names the property, the quantizer, an input that shows it and what came out. The exit code
is 0 when there is none. What a class declares to depart from, and what its constructor refuses, is listed behind.

Examples:
    bitgrad check lsq
    bitgrad check mct-ste --bits 2,4)";

struct CheckCommand {
  std::string name;
  std::vector<int> bits;

  void run() const {
    const std::vector<std::string> known = trainable_identifiers();
    if (std::ranges::find(known, name) == known.end()) throw UsageError(unknown_name("quantizer", name, known));
    ConformanceOptions options;
    if (!bits.empty()) options.bits = bits;
    for (const int width : options.bits)
      if (width < 1 || width > 16) fail<UsageError>("--bits ", width, ": expected 1 to 16");
    const ConformanceReport report = check_quantizer(name, options);
    std::cout << name << ": " << report.describe() << std::flush;
    if (report.quantizers == 0) fail<Error>(name, ": no quantizer could be built");
    if (!report.passed()) fail<Error>(name, ": ", report.findings.size(), " findings");
  }
};

}  // namespace

void add_check_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("check", "Check that a quantizer is one: property by property");
  command->footer(help);
  const auto options = std::make_shared<CheckCommand>();
  command->add_option("NAME", options->name, "A quantizer of bitgrad train --help")->required();
  command->add_option("--bits", options->bits, "Bit widths, comma-separated (1,2,3,4,8,16)")
      ->delimiter(',')
      ->type_name("N,...");
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
