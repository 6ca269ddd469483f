// What a person at a terminal sees, and what a log file gets.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include <bitgrad/cli/progress.hpp>
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using support::Workshop;

extern char** environ;

namespace {

/// A terminal that is `columns` wide.
class Terminal {
 public:
  explicit Terminal(unsigned columns) : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    char name[64];
    REQUIRE(::ptsname_r(master_, name, sizeof name) == 0);
    path_ = name;
    slave_ = ::open(name, O_RDWR | O_NOCTTY);  // keeps what is written until it is read
    REQUIRE(slave_ >= 0);
    const winsize size{24, static_cast<unsigned short>(columns), 0, 0};
    REQUIRE(::ioctl(slave_, TIOCSWINSZ, &size) == 0);
  }
  ~Terminal() {
    ::close(slave_);
    ::close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  const std::string& path() const { return path_; }
  /// What has been written so far.
  std::string text() const {
    ::fcntl(master_, F_SETFL, O_NONBLOCK);
    std::string result;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(master_, buffer, sizeof buffer)) > 0;)
      result.append(buffer, static_cast<std::size_t>(got));
    return result;
  }

 private:
  int master_, slave_ = -1;
  std::string path_;
};

/// The program with its error stream in `err` (a terminal or a file) and its output in the file `out`; its exit status.
int run_program(const std::vector<std::string>& arguments, const std::string& out, const std::string& err) {
  std::vector<char*> argv{const_cast<char*>(BITGRAD_PROGRAM)};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), O_WRONLY | O_CREAT, 0644);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err.c_str(), O_RDWR | O_CREAT | O_NOCTTY, 0644);
  pid_t id = 0;
  REQUIRE(posix_spawn(&id, BITGRAD_PROGRAM, &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  ::waitpid(id, &status, 0);
  return WEXITSTATUS(status);
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == at)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

}  // namespace

TEST_CASE("a terminal shows one line that is rewritten and never wraps, and is cleared at the end") {
  const Workshop shop(64);
  const std::vector<std::string> arguments = shop.training("run", {"--model", "mlp", "--epochs", "2", "--replace"});
  for (const unsigned columns : {200U, 40U}) {
    const Terminal terminal(columns);
    REQUIRE(run_program(arguments, shop.path("out"), terminal.path()) == 0);
    const std::string text = terminal.text();
    INFO(text);
    CHECK(text.find('\n') == std::string::npos);
    for (const std::string& line : split(text, '\r')) CHECK(line.size() < columns);
    CHECK_THAT(text, Contains("\rcomparing the codes of 40 images\r"));
    CHECK_THAT(text, Contains("\rfloat 1/2  50 %  loss ") || Contains("\rfloat 1/2 100 %  loss "));
    if (columns == 200) CHECK_THAT(text, Contains(" accuracy ") && Contains(" left  ") && Contains(" images/s"));
    const std::vector<std::string> pieces = split(text, '\r');
    CHECK(pieces.back().empty());
    CHECK(pieces[pieces.size() - 2].find_first_not_of(' ') == std::string::npos);
  }
}

TEST_CASE("without a terminal there are plain lines only") {
  const Workshop shop(64);
  REQUIRE(run_program(shop.training("run", {"--model", "mlp", "--epochs", "2"}), shop.path("out"), shop.path("err")) ==
          0);
  CHECK(shop.text("err").empty());
  const std::string out = shop.text("out");
  CHECK(out.find('\r') == std::string::npos);
  CHECK(std::ranges::count(out, '\n') == 3);
  CHECK_THAT(out,
             Contains("float epoch 1/2  loss ") && Contains("float epoch 2/2  loss ") && Contains("float accuracy "));
}

TEST_CASE("durations as people say them") {
  CHECK(cli::duration(-1) == "0 s");
  CHECK(cli::duration(59.4) == "59 s");
  CHECK(cli::duration(59.6) == "1 min 00 s");
  CHECK(cli::duration(185) == "3 min 05 s");
  CHECK(cli::duration(3720) == "1 h 02 min");
}
