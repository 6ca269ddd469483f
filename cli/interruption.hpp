// Ctrl-C: a wish to stop, granted where nothing is lost.
#pragma once

#include <array>
#include <csignal>

#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {

/// The work was stopped on request, with everything saved: exit code 130, as shells have it for SIGINT.
class Interrupted : public Error {
 public:
  using Error::Error;
};

/// While one exists, the first SIGINT or SIGTERM only sets a flag that the work asks for, and the second ends the
/// process as usual. One at a time.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  static bool requested();

 private:
  std::array<struct sigaction, 2> before_{};
};

}  // namespace bitgrad::cli
