// What a person sees while training runs.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include <bitgrad/qat/trainer.hpp>

namespace bitgrad::cli {

/// A line on std::cerr that is rewritten as work goes on, and cleared at its end; nothing where that is no terminal.
class TerminalLine {
 public:
  TerminalLine();
  explicit TerminalLine(const std::string& text) : TerminalLine() { show(text); }
  ~TerminalLine() { clear(); }
  TerminalLine(const TerminalLine&) = delete;
  TerminalLine& operator=(const TerminalLine&) = delete;

  bool is_terminal() const { return terminal_; }
  /// In place of what it showed, cut off where the terminal ends.
  void show(std::string text);
  void clear();

 private:
  bool terminal_;
  std::size_t shown_ = 0;  // characters on the line
};

/// On a terminal one line that is rewritten as training goes on; a line on std::cout after every epoch either way.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::string stage) : stage_(std::move(stage)) {}

  void step(const Progress& progress);
  /// `test_accuracy` in percent.
  void epoch(const EpochResult& result, std::int64_t epochs, double test_accuracy);

 private:
  std::string stage_;
  TerminalLine line_;
  std::chrono::steady_clock::time_point next_{};
};

/// "42 s", "3 min 05 s", "1 h 02 min".
std::string duration(double seconds);

}  // namespace bitgrad::cli
