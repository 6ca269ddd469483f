// What `bitgrad train` leaves in its output directory.
#pragma once

#include <string>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {

/// The files of a run.
struct RunDirectory {
  io::Path path;

  /// The last part of the path, for people.
  std::string name() const;
  io::Path float_checkpoint() const { return path / "float.safetensors"; }
  io::Path quantized_checkpoint() const { return path / "quantized.safetensors"; }
  /// The best epochs of the two stages, with --best.
  io::Path best_float_checkpoint() const { return path / "float-best.safetensors"; }
  io::Path best_quantized_checkpoint() const { return path / "quantized-best.safetensors"; }
  /// Of the float model that the run came to: with --best that of the best epoch, which alone leaves one.
  io::Path float_result() const;
  io::Path configuration() const { return path / "run.json"; }
  io::Path graph() const { return path / "graph"; }
  io::Path metrics() const { return path / "metrics.csv"; }
  io::Path report() const { return path / "report.json"; }

  io::Path sensitivity() const { return path / "sensitivity.json"; }
  io::Path page() const { return path / "report.html"; }

  /// Whether `bitgrad train` has begun a run here, though there may be no checkpoint of it yet.
  bool holds_run() const;
  /// IoError unless the run has left this file: whether it is unfinished, and what finishes it, or there is no run.
  void require(const io::Path& file) const;
  /// Creates the directory where it is missing. IoError with the system's reason.
  void create() const;
  /// What a run leaves, whether it is there or not. In the order in which clear() removes it: after each file either
  /// what is left goes on with --resume to the same bytes as before, or there is no run.
  std::vector<io::Path> files() const;
  /// Removes files(), and no others. IoError with the system's reason.
  void clear() const;
  /// Removes what processes that were killed while they wrote files() have left. IoError with the system's reason.
  void remove_abandoned() const;
};

/// Names of runs that are shown together: of each the last part of its path, with as many before it as tell it from the
/// others. A path that is there twice has the same name twice.
std::vector<std::string> run_names(const std::vector<io::Path>& directories);

/// Held while a process trains into a directory, so that no second one does; free again when the process ends, however
/// it does. IoError while another process holds it.
class RunLock {
 public:
  explicit RunLock(const RunDirectory& directory);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Whether a process trains there now.
  static bool held(const RunDirectory& directory);

 private:
  int file_;
};

}  // namespace bitgrad::cli
