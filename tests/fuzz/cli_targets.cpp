// Files that the bitgrad program reads.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/train_arguments.hpp>
#include <bitgrad/core/io/detail/bytes.hpp>
#include "fuzz/targets.hpp"

namespace bitgrad::fuzz {
namespace {

std::string text_in(Input bytes) { return std::string(io::text_of(bytes)); }

void read_report(Input bytes) {
  const std::string text = to_json(cli::report_from_json(text_in(bytes), "report"));
  require(to_json(cli::report_from_json(text, "again")) == text, "report: read, written and read again differ");
}

/// Numbers are written with six digits: what was written once stays.
void read_metrics(Input bytes) {
  const std::string text = cli::format_metrics(cli::parse_metrics(text_in(bytes), "metrics"));
  require(cli::format_metrics(cli::parse_metrics(text, "again")) == text,
          "metrics: written, read and written again differ");
}

/// The configuration that a file's options make, defaults included.
std::string configured(const std::string& text, const char* what) {
  CLI::App command;
  cli::TrainOptions options;
  options.declare(command);
  cli::check_numbers(command);
  cli::parse_configuration(text, what, command);
  return cli::configuration_of(command, {});
}

void read_run(Input bytes) {
  const std::string text = configured(text_in(bytes), "run");
  require(configured(text, "again") == text, "run: read, written and read again differ");
}

}  // namespace

std::vector<Target> cli_targets() { return {{"report", read_report}, {"metrics", read_metrics}, {"run", read_run}}; }

}  // namespace bitgrad::fuzz
