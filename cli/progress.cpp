#include <bitgrad/cli/progress.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace bitgrad::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds refresh{100};

/// printf into a string.
template <class... Values>
std::string format(const char* pattern, Values... values) {
  char buffer[256];
  const int length = std::snprintf(buffer, sizeof buffer, pattern, values...);
  return std::string(buffer, static_cast<std::size_t>(std::max(0, std::min<int>(length, sizeof buffer - 1))));
}

/// Characters in a line of the terminal. A longer line would wrap, and could not be rewritten.
std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// A loss; that of a training which diverges may be of any size.
std::string loss_text(double loss) { return format(std::abs(loss) < 1e6 ? "%.4f" : "%.4g", loss); }

}  // namespace

std::string duration(double seconds) {
  const auto whole = std::llround(std::max(0.0, seconds));
  if (whole < 60) return format("%lld s", whole);
  if (whole < 3600) return format("%lld min %02lld s", whole / 60, whole % 60);
  return format("%lld h %02lld min", whole / 3600, whole / 60 % 60);
}

TerminalLine::TerminalLine() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void TerminalLine::show(std::string text) {
  if (!terminal_) return;
  text.resize(std::min(text.size(), terminal_width() - 1));  // the cursor needs a place as well
  const std::size_t rest = shown_ > text.size() ? shown_ - text.size() : 0;
  std::cerr << '\r' << text << std::string(rest, ' ') << std::flush;
  shown_ = text.size();
}

void TerminalLine::clear() {
  if (shown_ > 0) std::cerr << '\r' << std::string(shown_, ' ') << '\r' << std::flush;
  shown_ = 0;
}

void ProgressDisplay::step(const Progress& progress) {
  if (!line_.is_terminal() || Clock::now() < next_) return;
  next_ = Clock::now() + refresh;
  line_.show(format("%s %lld/%lld %3lld %%  loss %s  accuracy %.2f %%  %s left  %.0f images/s", stage_.c_str(),
                    static_cast<long long>(progress.epoch), static_cast<long long>(progress.epochs),
                    static_cast<long long>(100 * progress.batch / progress.batches), loss_text(progress.loss).c_str(),
                    100 * progress.accuracy, duration(progress.seconds_left).c_str(), progress.images_per_second));
}

void ProgressDisplay::epoch(const EpochResult& result, std::int64_t epochs, double test_accuracy) {
  line_.clear();
  std::cout << format(
                   "%s epoch %lld/%lld  loss %s  training accuracy %.2f %%  test accuracy %.2f %%  %.0f images/s  %s",
                   stage_.c_str(), static_cast<long long>(result.epoch), static_cast<long long>(epochs),
                   loss_text(result.loss).c_str(), 100 * result.accuracy, test_accuracy, result.images_per_second,
                   duration(result.seconds).c_str())
            << std::endl;
}

}  // namespace bitgrad::cli
