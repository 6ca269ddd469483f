// The program itself as a process of its own, to be interrupted and killed.
#pragma once

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace support {

/// Asks every millisecond until it is so; false when it is not within a minute.
inline bool wait_until(const std::function<bool()>& so) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// The program itself, with its output in a file, or thrown away.
class Child {
 public:
  explicit Child(const std::vector<std::string>& arguments, const std::string& output = "/dev/null") {
    std::vector<char*> argv{const_cast<char*>(BITGRAD_PROGRAM)};
    for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int stream : {1, 2})
      posix_spawn_file_actions_addopen(&actions, stream, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    REQUIRE(posix_spawn(&id_, BITGRAD_PROGRAM, &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  /// True when the child was still running.
  bool kill_after(std::chrono::milliseconds delay) {
    std::this_thread::sleep_for(delay);
    send(SIGKILL);
    return WIFSIGNALED(wait());
  }
  void interrupt() const { send(SIGINT); }
  void send(int signal) const { ::kill(id_, signal); }
  int wait() const {
    int status = 0;
    ::waitpid(id_, &status, 0);
    return status;
  }
  /// The same, and an end to a child that does not end.
  int wait_for_a_minute() const {
    int status = 0;
    if (wait_until([&] { return ::waitpid(id_, &status, WNOHANG) == id_; })) return status;
    send(SIGKILL);
    wait();
    FAIL("the program has not ended within a minute");
    return 0;
  }

 private:
  pid_t id_ = 0;
};

}  // namespace support
