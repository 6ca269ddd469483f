// bitgrad report
#include <CLI/App.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/html_report.hpp>
#include <bitgrad/cli/run_directory.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(The page needs nothing else: curves, histograms and confusion matrices are SVG, the pictures of mistakes are PNG inside
it. bitgrad train writes DIR/report.html of its run; this compares several, or writes one anew.

Examples:
    bitgrad report runs/float runs/w8a8 runs/w4a4 --out compared.html
    bitgrad report runs/w4a4)";

struct ReportCommand {
  std::vector<std::string> directories;
  std::string out;

  void run() const {
    std::vector<FinishedRun> runs;
    const std::vector<std::string> names = run_names({directories.begin(), directories.end()});
    for (const std::string& directory : directories) {
      runs.push_back(read_run(directory));
      runs.back().name = names[runs.size() - 1];
    }
    if (out.empty() && runs.size() > 1) throw UsageError("report of several runs: --out FILE is required");
    const io::Path path = out.empty() ? io::Path(directories.front()) / "report.html" : io::Path(out);
    io::write_file_atomically(path, std::string_view(html_report(runs)));
    std::cout << path.string() << std::endl;
  }
};

}  // namespace

void add_report_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("report", "Show runs on one page, to look at in a browser");
  command->footer(help);
  const auto options = std::make_shared<ReportCommand>();
  command->add_option("RUN_DIR", options->directories, "Directories that bitgrad train wrote")->required();
  command->add_option("--out", options->out, "The page (for one run: report.html in its directory)")->type_name("FILE");
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
