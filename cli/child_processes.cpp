#include <bitgrad/cli/child_processes.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iostream>
#include <sstream>
#include <thread>

#include <bitgrad/cli/interruption.hpp>
#include <bitgrad/cli/run_directory.hpp>

extern char** environ;

namespace bitgrad::cli {
namespace {

/// Between two looks: a signal that came just before a call that blocks would wait for a whole run.
void wait_a_moment() { std::this_thread::sleep_for(std::chrono::milliseconds(20)); }

}  // namespace

void ChildProcesses::start(const GridPoint& point, const std::vector<std::string>& arguments, const io::Path& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t id = 0;
  const int error = ::posix_spawn(&id, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail<IoError>("cannot start a run, with its output in ", log.string(), ": ", std::strerror(error));
  running_.emplace(id, point);
}

std::optional<ChildProcesses::Ended> ChildProcesses::ended() {
  int status = 0;
  const pid_t id = ::waitpid(-1, &status, WNOHANG);
  if (id < 0 && errno != EINTR) fail<IoError>("cannot wait for runs: ", std::strerror(errno));
  const auto found = running_.find(id);
  if (found == running_.end()) {
    wait_a_moment();
    return std::nullopt;
  }
  Ended result{std::move(found->second), status};
  running_.erase(found);
  return result;
}

void ChildProcesses::stop() {
  if (stopped_) return;
  stopped_ = true;
  for (const auto& [id, point] : running_) ::kill(id, SIGTERM);
}

ChildProcesses::~ChildProcesses() {
  stop();
  for (const auto& [id, point] : running_) ::waitpid(id, nullptr, 0);
}

bool wait_for_directory(const io::Path& directory) {
  bool said = false;
  while (RunLock::held({directory})) {
    if (Interruption::requested()) return false;
    if (!said)
      std::cout << RunDirectory{directory}.name() << ": another process is training there, waiting" << std::endl;
    said = true;
    wait_a_moment();
  }
  return true;
}

std::string outcome(int status, const io::Path& log) {
  constexpr int stopped = 130;  // see Interrupted
  if (WIFSIGNALED(status)) return message("killed by signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return "done";
  if (WEXITSTATUS(status) == stopped) return "stopped";
  try {
    std::istringstream lines(io::read_text_file(log));
    std::string last;
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) last = line;
    return "failed: " + last;
  } catch (const IoError& error) {
    return message("failed: exit code ", WEXITSTATUS(status), ", and its log cannot be read: ", error.what());
  }
}

}  // namespace bitgrad::cli
