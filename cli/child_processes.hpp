// The runs of a sweep as processes.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <bitgrad/cli/sweep_grid.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {

/// Runs of this very program, so that quantizers of the user's own are there. Each is a process group of its own: a
/// terminal's Ctrl-C reaches the sweep alone, and comes to the runs from stop(), once.
class ChildProcesses {
 public:
  ChildProcesses() = default;
  /// However the sweep ends, no run goes on alone: stops those that are left, and waits for them.
  ~ChildProcesses();
  ChildProcesses(const ChildProcesses&) = delete;
  ChildProcesses& operator=(const ChildProcesses&) = delete;

  /// Its output goes to `log`, which is made anew. IoError with the system's reason.
  void start(const GridPoint& point, const std::vector<std::string>& arguments, const io::Path& log);
  std::size_t size() const { return running_.size(); }

  struct Ended {
    GridPoint point;
    int status;  ///< as waitpid() has it
  };
  /// A run that has ended, if there is one; otherwise nothing, after a moment. IoError.
  std::optional<Ended> ended();
  /// Asks all to save and end (SIGTERM); for the first time alone, since the second signal ends a run at once.
  void stop();

 private:
  std::map<pid_t, GridPoint> running_;
  bool stopped_ = false;
};

/// Waits until no process trains in the directory: a run that has outlived its sweep. False when the user would rather
/// stop.
bool wait_for_directory(const io::Path& directory);

/// What a person wants to know of a run that has ended: "done", "stopped", or why it failed, from its log.
std::string outcome(int status, const io::Path& log);

}  // namespace bitgrad::cli
