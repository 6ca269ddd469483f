// Options that all benchmarks share.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// How a measurement is made and where its numbers go.
struct Measuring {
  double seconds = 3;     ///< of measuring, after a warm-up
  int threads = 0;        ///< 0: one per processor
  std::string isa = {};   ///< empty: the best there is
  std::string json = {};  ///< file; empty: none

  void declare(CLI::App& command, const std::string& seconds_help);
  /// UsageError for what cannot be, IoError for a file that cannot be written: before anything is measured.
  void check() const;
  /// Sets threads, with the warning of use_threads(), and the instruction set for this process. ValueError when the
  /// processor lacks the instruction set.
  void apply() const;
};

}  // namespace bitgrad::cli
