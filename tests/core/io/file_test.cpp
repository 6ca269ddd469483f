#include <catch2/catch.hpp>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/file.hpp>
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::io;
using Catch::Contains;
using support::TemporaryDirectory;
namespace fs = std::filesystem;

namespace {

/// Files of this process cannot grow beyond a size for one scope: what a full disk does to a write.
struct FileSizeLimit {
  explicit FileSizeLimit(rlim_t bytes) : handler(::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
  }
  sighandler_t handler;
  rlimit before{};
};

}  // namespace

TEST_CASE("what is written is read back, bytes and text") {
  const TemporaryDirectory directory;
  for (const std::size_t size : {0u, 1u, 4096u, 100001u}) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7);
    write_file_atomically(directory / "f", bytes);
    CHECK(read_file(directory / "f") == bytes);
  }
  write_file_atomically(directory / "f", "text\n");
  CHECK(read_text_file(directory / "f") == "text\n");
  CHECK(directory.names() == std::vector<std::string>{"f"});
  CHECK_FALSE(read_text_file("/proc/self/status").empty());  // a file that claims to have no size
}

TEST_CASE("an uncommitted file leaves nothing behind and the old content alone") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "f", "old");
  {
    AtomicFile file(directory / "f");
    file.write("half of the n");
    CHECK(directory.names().size() == 2);
    CHECK(read_text_file(directory / "f") == "old");
  }
  CHECK(directory.names() == std::vector<std::string>{"f"});
  CHECK(read_text_file(directory / "f") == "old");
}

TEST_CASE("two writers of one file do not disturb each other") {
  const TemporaryDirectory directory;
  AtomicFile first(directory / "f"), second(directory / "f");
  first.write("first");
  second.write("second");
  second.commit();
  CHECK(read_text_file(directory / "f") == "second");
  first.commit();
  CHECK(read_text_file(directory / "f") == "first");
  CHECK_THROWS_WITH(first.write("more"), Contains("already complete"));
  CHECK_THROWS_AS(first.commit(), StateError);
  CHECK(directory.names() == std::vector<std::string>{"f"});
}

TEST_CASE("what a killed process left behind is not written into") {
  const TemporaryDirectory directory;
  std::string name;
  {
    const AtomicFile first(directory / "f");
    name = directory.names().at(0);  // f.PROCESS.NUMBER.tmp
  }
  const std::size_t dot = name.find('.', 2) + 1;
  const std::string next = name.substr(0, dot) + std::to_string(std::stoi(name.substr(dot)) + 1) + ".tmp";
  std::ofstream(directory / next) << "left behind";
  write_file_atomically(directory / "f", "new");
  CHECK(read_text_file(directory / next) == "left behind");
  CHECK(read_text_file(directory / "f") == "new");
}

TEST_CASE("temporaries that a process has left which is gone are told from everything else beside a file") {
  const TemporaryDirectory directory;
  const std::string own = message("f.", ::getpid(), ".999.tmp");
  for (const std::string& name :
       {std::string("f.99999999.0.tmp"), std::string("f.99999999999999.34.tmp"), own, std::string("f"),
        std::string("f.tmp"), std::string("f.99999999.tmp"), std::string("f.99999999.2.tmp2"), std::string("f.a.1.tmp"),
        std::string("f.99999999..tmp"), std::string("g.99999999.2.tmp"), std::string("f.99999999.2.3.tmp"),
        std::string("f.-5.1.tmp"), std::string("f.0.1.tmp")})
    std::ofstream(directory / name) << "x";
  std::vector<std::string> found;
  for (const auto& path : abandoned_files(directory / "f")) found.push_back(path.filename().string());
  std::ranges::sort(found);
  CHECK(found == std::vector<std::string>{"f.99999999.0.tmp", "f.99999999999999.34.tmp"});
  CHECK(abandoned_files(directory / "nowhere/f").empty());
}

TEST_CASE("a full disk is reported and leaves nothing behind") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "f", "old");
  std::string text;
  {
    const FileSizeLimit limit(10000);
    try {
      write_file_atomically(directory / "f", std::string(100000, 'x'));
    } catch (const IoError& error) {
      text = error.what();
    }
  }
  CHECK_THAT(text, Contains("cannot write") && Contains((directory / "f").string()) && Contains("File too large"));
  CHECK(directory.names() == std::vector<std::string>{"f"});
  CHECK(read_text_file(directory / "f") == "old");
}

TEST_CASE("files of one operation: when one cannot get its name, none is new") {
  const TemporaryDirectory directory;
  write_file_atomically(directory / "old", "old");
  std::deque<AtomicFile> files;
  std::vector<AtomicFile*> all;
  for (const char* name : {"first", "old", "taken", "last"}) {
    files.emplace_back(directory / name).write("new");
    all.push_back(&files.back());
  }
  fs::create_directory(directory / "taken");  // in between, so that the rename fails
  CHECK_THROWS_WITH(commit_together(all), Contains("cannot rename") && Contains((directory / "taken").string()) &&
                                              Contains("Is a directory"));
  files.clear();
  CHECK(directory.names() == std::vector<std::string>{"old", "taken"});
  CHECK(read_text_file(directory / "old") == "new");  // as commit_together() says
}

TEST_CASE("several files are written together, or none when one place is missing") {
  const TemporaryDirectory directory;
  const Bytes bytes(3, std::byte{'x'});
  const auto write = [&](const std::vector<FileContent>& files) { write_files_atomically(files); };
  CHECK_THROWS_AS(write({{directory / "a", bytes}, {directory / "no" / "b", bytes}}), IoError);
  CHECK(directory.names().empty());
  write({{directory / "a", bytes}, {directory / "b", bytes}});
  CHECK(read_text_file(directory / "a") == "xxx");
  CHECK(read_text_file(directory / "b") == "xxx");
}

TEST_CASE("a file is complete once, and committed once") {
  const TemporaryDirectory directory;
  AtomicFile file(directory / "f");
  file.write("x");
  file.sync();
  CHECK(!fs::exists(directory / "f"));
  CHECK_THROWS_AS(file.write("y"), StateError);
  CHECK_THROWS_AS(file.sync(), StateError);
  file.commit();
  CHECK(read_text_file(directory / "f") == "x");
  CHECK_THROWS_AS(file.commit(), StateError);
  file.withdraw();
  CHECK(directory.names().empty());
}

TEST_CASE("places that cannot be written to are named with the reason") {
  const TemporaryDirectory directory;
  CHECK_THROWS_WITH(write_file_atomically(directory / "no" / "f", "x"), Contains("cannot write") &&
                                                                            Contains((directory / "no/f").string()) &&
                                                                            Contains("No such file or directory"));
  write_file_atomically(directory / "plain", "x");
  CHECK_THROWS_WITH(write_file_atomically(directory / "plain" / "f", "x"), Contains("Not a directory"));
  fs::create_directory(directory / "sub");
  CHECK_THROWS_WITH(write_file_atomically(directory / "sub", "x"), Contains("it exists and is a directory"));
  CHECK_THROWS_WITH(write_file_atomically("/dev/full", "x"),
                    Contains("\"/dev/full\": it exists and is no regular file"));
  CHECK_THROWS_AS(write_file_atomically("", "x"), IoError);
}

TEST_CASE("an unwritable directory is reported") {
  const TemporaryDirectory directory;
  fs::permissions(directory.path(), fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_exec);
  const uid_t before = ::geteuid();
  if (before == 0) REQUIRE(::seteuid(65534) == 0);  // permissions do not bind root
  std::string text;
  try {
    write_file_atomically(directory / "f", "x");
  } catch (const IoError& error) {
    text = error.what();
  }
  if (before == 0) REQUIRE(::seteuid(before) == 0);
  fs::permissions(directory.path(), fs::perms::owner_all);
  CHECK_THAT(text, Contains((directory / "f").string()) && Contains("Permission denied"));
  CHECK(directory.names().empty());
}

TEST_CASE("a symbolic link is followed and permissions obey the umask") {
  const TemporaryDirectory directory;
  fs::create_symlink("target", directory / "link");
  write_file_atomically(directory / "link", "x");
  CHECK(fs::is_symlink(directory / "link"));
  CHECK(read_text_file(directory / "target") == "x");
  fs::create_symlink("loop", directory / "loop");
  CHECK_THROWS_WITH(write_file_atomically(directory / "loop", "x"), Contains("too many levels of symbolic links"));
  const mode_t mask = ::umask(027);
  write_file_atomically(directory / "f", "x");
  ::umask(mask);
  CHECK(static_cast<unsigned>(fs::status(directory / "f").permissions()) == 0640);
}

TEST_CASE("a relative path works") {
  const TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  write_file_atomically("f", "x");
  const std::string text = read_text_file("f");
  fs::current_path(before);
  CHECK(text == "x");
}

TEST_CASE("files that cannot be read are named with the reason") {
  const TemporaryDirectory directory;
  CHECK_THROWS_WITH(read_file(directory / "f"), Contains("cannot open") && Contains((directory / "f").string()) &&
                                                    Contains("No such file or directory"));
  CHECK_THROWS_WITH(read_file(directory.path()), Contains("cannot read") && Contains("Is a directory"));
}
