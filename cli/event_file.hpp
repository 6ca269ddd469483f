// What TensorBoard reads: a file of events.
#pragma once

#include <vector>

#include <bitgrad/cli/metrics.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {

/// The event file of a run's directory: scalars of every row of metrics.csv under the names STAGE/loss,
/// STAGE/train_accuracy, STAGE/test_accuracy (percent) and STAGE/learning_rate, the epoch being the step. Records are
/// TFRecords of the protobuf message tensorflow.Event (event.proto, summary.proto); the first has the version, each
/// other one is a row. It is appended to, not rewritten, because TensorBoard reads on where it stopped.
class EventFile {
 public:
  /// Goes on with the directory's file; where there is none, follow() begins one. A record that was cut short is
  /// dropped. IoError for a file that cannot be read.
  explicit EventFile(const io::Path& directory);

  /// Appends the rows that the file does not have, and drops records behind those of all rows: of epochs that a resumed
  /// run does again. Rows are only ever added and dropped at the end. IoError with the system's reason.
  void follow(const std::vector<EpochMetrics>& rows);

  /// The event files of a directory, in order of their names.
  static std::vector<io::Path> find(const io::Path& directory);

 private:
  io::Path path_;
  std::vector<std::size_t> ends_;  // of the records that are in the file, in bytes
};

}  // namespace bitgrad::cli
