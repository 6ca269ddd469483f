// report.html: runs on one self-contained page, without scripts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/cli/report.hpp>

namespace bitgrad::cli {

/// A run as `bitgrad train` left it.
struct FinishedRun {
  std::string name;  ///< of its directory
  Report report;
  std::vector<EpochMetrics> epochs;
  std::map<std::string, std::string> options;  ///< of run.json; empty where there is none
};

/// Reads report.json, metrics.csv and run.json of a run's directory; IoError naming the file that is missing or
/// malformed.
FinishedRun read_run(const io::Path& directory);

/// The page: headline numbers and learning curves of all runs together, then of each run its layers, histograms,
/// confusion matrix and mistakes. ValueError for no runs.
std::string html_report(const std::vector<FinishedRun>& runs);

}  // namespace bitgrad::cli
