// bitgrad golden
#include <CLI/App.hpp>
#include <filesystem>
#include <iostream>
#include <memory>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/qat/golden/check_all.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(DIR holds manifest.json and .npy files with what the reference system's quantizers gave: outputs, gradients, converted
quantizers, small trained networks, refused constructions, look-ups. Outputs are compared bit for bit, gradients
within the tolerances of the manifest. Every failed case is one line with the first element that differs. Only what
the list of departures in quantizers/README.md names is skipped, and it is counted.

Exit code: 0 when nothing failed, 1 when a case failed, 3 when DIR cannot be read.

Examples:
    bitgrad golden tests/golden)";

golden::Manifest read(const std::string& directory) {
  try {
    return golden::read_manifest(directory);
  } catch (const Error& error) {
    throw UnreadableInput(error.what());
  }
}

void run_golden(const std::string& directory) {
  const golden::Report report = golden::check_golden(read(directory));
  if (report.outcomes.empty()) throw UnreadableInput(directory + ": the manifest has no cases");
  std::cout << report.describe() << std::flush;
  const Index failed = report.count(golden::Verdict::failed);
  if (failed > 0) fail<Error>(failed, " of ", report.outcomes.size(), " cases differ from the reference");
}

}  // namespace

void add_golden_command(CLI::App& program) {
  CLI::App* command =
      program.add_subcommand("golden", "Compare the quantizers with recorded results of the reference system");
  command->footer(help);
  const auto directory = std::make_shared<std::string>();
  command->add_option("DIR", *directory, "A directory with manifest.json")->required();
  command->callback([directory] { run_golden(*directory); });
}

}  // namespace bitgrad::cli
