// bitgrad table
#include <CLI/App.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/text_table.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Accuracy is that of the converted graph on the images that the run was tested on: the test images, or with --hold-out
the training images that were held out. The change is in percentage points against the baseline: the run given by
--baseline, or else the last float run of the table. A run that was tested on other images than the baseline has none,
and a line below the table says what each run was tested on.

Examples:
    bitgrad table runs/float runs/float-longer runs/w8a8 runs/w4a4
    bitgrad table runs/w8a8 runs/w4a4 --baseline runs/float
    bitgrad table --markdown runs/float runs/w8a8)";

struct Run {
  std::string name;
  Report report;
};

std::vector<Run> read_runs(const std::vector<io::Path>& directories) {
  const std::vector<std::string> names = run_names(directories);
  std::vector<Run> runs;
  for (const io::Path& directory : directories)
    runs.push_back({names[runs.size()], read_report(RunDirectory{directory})});
  return runs;
}

std::string change(const Report& report, const Report& baseline) {
  return tested_alike(report, baseline) ? format("%+.2f", report.converted_accuracy - baseline.converted_accuracy)
                                        : "-";
}

Row row_of(const Run& run, const Run* baseline) {
  const Report& report = run.report;
  return {run.name,
          bits_of(report),
          format("%.2f %%", report.converted_accuracy),
          baseline ? change(report, baseline->report) : "-",
          format("%.1f KiB", static_cast<double>(report.quantized_bytes) / 1024),
          report.codes_compared > 0 ? std::to_string(report.differing_codes) : "-",
          format("%.1f", report.seconds)};
}

struct TableCommand {
  std::vector<std::string> directories;
  std::string baseline;
  bool markdown = false;

  void run() const {
    std::vector<io::Path> paths(directories.begin(), directories.end());
    if (!baseline.empty()) paths.emplace_back(baseline);
    const std::vector<Run> all = read_runs(paths);
    const std::span<const Run> runs(all.data(), directories.size());
    const Run* reference = baseline.empty() ? nullptr : &all.back();
    if (baseline.empty())
      for (const Run& each : runs)
        if (!each.report.quantized()) reference = &each;

    std::vector<Row> rows{{"run", "bits W / A", "accuracy", "change", "size", "differing codes", "seconds"}};
    for (const Run& each : runs) rows.push_back(row_of(each, reference));
    std::cout << (markdown ? markdown_table(rows) : text_table(rows));
    say(reference ? "change: percentage points against " + reference->name
                  : "no change: there is no float run among these; give one with --baseline DIR");
    if (const std::string images = images_that_differ(all); !images.empty())
      say("not tested on the same images: " + images);
    std::cout << std::flush;
  }

 private:
  void say(const std::string& line) const { std::cout << (markdown ? "\n" : "") << line << '\n'; }

  /// A run that is its own baseline is named once.
  static std::string images_that_differ(const std::vector<Run>& runs) {
    std::vector<NamedReport> reports;
    for (const Run& run : runs)
      if (std::ranges::find(reports, run.name, &NamedReport::name) == reports.end())
        reports.push_back({run.name, &run.report});
    return different_images(reports);
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
