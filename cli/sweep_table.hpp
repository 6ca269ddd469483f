// What a sweep found, in tables.
#pragma once

#include <string>
#include <vector>

#include <bitgrad/cli/report.hpp>
#include <bitgrad/cli/sweep_grid.hpp>

namespace bitgrad::cli {

/// What a table needs to know of a finished run.
struct SweepResult {
  GridPoint point;
  Report report;
};

/// A row per run: its name, the options of the grid, accuracies in percent, bytes, codes that differ, seconds of
/// training; numbers to ten digits. CSV (RFC 4180).
std::string sweep_csv(const std::vector<SweepResult>& results);

/// A row per combination of all options but the seed, with mean and sample standard deviation over its runs; `change`
/// is the converted model against the run's own float model, in points. Markdown.
std::string sweep_markdown(const std::vector<SweepResult>& results);

}  // namespace bitgrad::cli
