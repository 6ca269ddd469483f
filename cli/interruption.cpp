#include <bitgrad/cli/interruption.hpp>

#include <unistd.h>

#include <string_view>

namespace bitgrad::cli {
namespace {

constexpr std::array signals{SIGINT, SIGTERM};

volatile std::sig_atomic_t wanted = 0;

/// Only what is safe in a signal handler.
void remember(int) {
  wanted = 1;
  constexpr std::string_view text = "\nbitgrad: stopping after this step (again: at once)\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

Interruption::Interruption() {
  wanted = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);  // the second time is not ours
  for (std::size_t i = 0; i < signals.size(); ++i) {
    ::sigaction(signals[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(signals[i], &action, nullptr);  // nohup stays nohup
  }
}

Interruption::~Interruption() {
  for (std::size_t i = 0; i < signals.size(); ++i) ::sigaction(signals[i], &before_[i], nullptr);
}

bool Interruption::requested() { return wanted != 0; }

}  // namespace bitgrad::cli
