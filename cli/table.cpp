// bitgrad table
#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/text_table.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Accuracy is that of the converted graph on the test images. The change is in percentage points against the baseline:
the run given by --baseline, or else the last float run of the table.

Examples:
    bitgrad table runs/float runs/float-longer runs/w8a8 runs/w4a4
    bitgrad table runs/w8a8 runs/w4a4 --baseline runs/float
    bitgrad table --markdown runs/float runs/w8a8)";

struct Run {
  std::string name;
  Report report;
};

Run read_run(const std::string& directory) {
  const RunDirectory run{directory};
  return {run.name(), read_report(run)};
}

std::string bits(int count) { return count == 32 ? "float" : std::to_string(count); }

Row row_of(const Run& run, const std::optional<Run>& baseline) {
  const Report& report = run.report;
  const double change = baseline ? report.converted_accuracy - baseline->report.converted_accuracy : 0;
  return {run.name,
          report.quantized()
              ? bits(report.weight_bits) + " / " + bits(report.activation_bits) + (report.mixed ? " mixed" : "")
              : "float",
          format("%.2f %%", report.converted_accuracy),
          baseline ? format("%+.2f", change) : "",
          format("%.1f KiB", static_cast<double>(report.quantized_bytes) / 1024),
          report.codes_compared > 0 ? std::to_string(report.differing_codes) : "-",
          format("%.1f", report.seconds)};
}

struct TableCommand {
  std::vector<std::string> directories;
  std::string baseline;
  bool markdown = false;

  void run() const {
    std::vector<Run> runs;
    for (const std::string& directory : directories) runs.push_back(read_run(directory));
    std::optional<Run> reference;
    for (const Run& each : runs)
      if (!each.report.quantized()) reference = each;
    if (!baseline.empty()) reference = read_run(baseline);

    std::vector<Row> rows{{"run", "bits W / A", "accuracy", "change", "size", "differing codes", "seconds"}};
    for (const Run& each : runs) rows.push_back(row_of(each, reference));
    std::cout << (markdown ? markdown_table(rows) : text_table(rows));
    if (reference)
      std::cout << (markdown ? "\n" : "") << "change: percentage points against " << reference->name << '\n';
    std::cout << std::flush;
  }
};

}  // namespace

void add_table_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("table", "Compare runs in one table");
  command->footer(help);
  const auto options = std::make_shared<TableCommand>();
  command->add_option("RUN_DIR", options->directories, "Directories that bitgrad train wrote")->required();
  command->add_option("--baseline", options->baseline, "The run that the others are compared with")->type_name("DIR");
  command->add_flag("--markdown", options->markdown, "Print a Markdown table");
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
