// metrics.csv: how training went, epoch by epoch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {

/// One row of metrics.csv: an epoch.
struct EpochMetrics {
  std::string stage;       ///< "float" or "quantized"
  std::int64_t epoch = 0;  ///< counted from 1
  double train_loss = 0;
  double train_accuracy = 0;  ///< percent, of the training forward while it learned
  double test_accuracy = 0;   ///< percent, from evaluation
  double learning_rate = 0;
  double images_per_second = 0;
  double seconds = 0;  ///< of training, without evaluation
};

/// The text of metrics.csv, and back. IoError that starts with `what`, the file's name, and the number of the line that
/// is malformed.
std::string format_metrics(const std::vector<EpochMetrics>& rows);
std::vector<EpochMetrics> parse_metrics(const std::string& text, const std::string& what);

/// The rows of metrics.csv, rewritten whole (beside, then renamed) with every row. The format's version is a column,
/// the last, so that every reader of CSV takes the file as it is.
class MetricsFile {
 public:
  /// Starts with the rows that the file holds, if there is one; IoError for a malformed one.
  explicit MetricsFile(io::Path path);
  /// Drops the rows of this stage after `epoch`: what a resumed run does again.
  void resume_after(const std::string& stage, std::int64_t epoch);
  void add(const EpochMetrics& row);
  const std::vector<EpochMetrics>& rows() const { return rows_; }

 private:
  void write() const;

  io::Path path_;
  std::vector<EpochMetrics> rows_;
};

}  // namespace bitgrad::cli
