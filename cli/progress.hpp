// What a person sees while training runs.
#pragma once

#include <chrono>
#include <string>

#include <bitgrad/qat/trainer.hpp>

namespace bitgrad::cli {

/// On a terminal one line on std::cerr that is rewritten as training goes on; a line on std::cout after every epoch
/// either way.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(std::string stage);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  void step(const Progress& progress);
  /// `test_accuracy` in percent.
  void epoch(const EpochResult& result, std::int64_t epochs, double test_accuracy);

 private:
  void erase_line();

  std::string stage_;
  bool terminal_;
  std::size_t shown_ = 0;  // characters on the line
  std::chrono::steady_clock::time_point next_{};
};

/// "42 s", "3 min 05 s", "1 h 02 min".
std::string duration(double seconds);

}  // namespace bitgrad::cli
