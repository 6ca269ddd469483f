#include <bitgrad/cli/run_directory.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <system_error>

#include <bitgrad/cli/event_file.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {

namespace fs = std::filesystem;

namespace {

/// Without "." in between and without a slash at the end.
io::Path normal(const io::Path& path) {
  const io::Path result = path.lexically_normal();
  return result.has_filename() ? result : result.parent_path();
}

/// The last parts of a path; all of it where there are fewer.
io::Path tail(const io::Path& path, std::ptrdiff_t parts) {
  io::Path result;
  for (auto part = std::prev(path.end(), std::min(parts, std::distance(path.begin(), path.end()))); part != path.end();
       ++part)
    result /= *part;
  return result;
}

}  // namespace

std::string RunDirectory::name() const {
  const std::string name = normal(path).filename().string();
  return name.empty() ? path.string() : name;
}

std::vector<std::string> run_names(const std::vector<io::Path>& directories) {
  std::vector<std::string> names;
  for (const io::Path& directory : directories) {
    const io::Path path = normal(directory);
    std::ptrdiff_t parts = 1;
    const auto clashes = [&](const io::Path& other) {
      return normal(other) != path && tail(normal(other), parts) == tail(path, parts);
    };
    while (tail(path, parts) != path && std::ranges::any_of(directories, clashes)) ++parts;
    names.push_back(parts == 1 ? RunDirectory{directory}.name() : tail(path, parts).string());
  }
  return names;
}

io::Path RunDirectory::float_result() const {
  return fs::exists(best_float_checkpoint()) ? best_float_checkpoint() : float_checkpoint();
}

bool RunDirectory::holds_run() const { return fs::exists(configuration()) || fs::exists(float_checkpoint()); }

void RunDirectory::require(const io::Path& file) const {
  if (fs::exists(file)) return;
  if (!fs::is_directory(path))
    fail<IoError>(path.string(), ": no such directory; one that bitgrad train wrote is expected");
  if (!holds_run())
    fail<IoError>(path.string(), ": holds no run of bitgrad train, ", file.filename().string(), " is missing");
  fail<IoError>(path.string(), ": its run is not finished; bitgrad train --out ", path.string(),
                " --resume finishes it");
}

void RunDirectory::create() const {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail<IoError>("cannot create the directory ", path, ": ", error.message());
  if (!fs::is_directory(path)) fail<IoError>("cannot create the directory ", path, ": there is a file of that name");
}

std::vector<io::Path> RunDirectory::files() const {
  std::vector<io::Path> files{report(), page(), sensitivity(), graph() / "graph.json", graph() / "graph.npz", graph()};
  // Checkpoints before what belongs to them, the last stage first: those that are left are of a run that was stopped.
  for (const io::Path& file :
       {quantized_checkpoint(), best_quantized_checkpoint(), float_checkpoint(), best_float_checkpoint(), metrics()})
    files.push_back(file);
  for (const io::Path& file : EventFile::find(path)) files.push_back(file);
  files.push_back(configuration());
  return files;
}

void RunDirectory::clear() const {
  for (const io::Path& file : files()) {
    std::error_code error;
    fs::remove(file, error);
    if (error) fail<IoError>("cannot remove ", file, " of an earlier run: ", error.message());
  }
}

void RunDirectory::remove_abandoned() const {
  for (const io::Path& file : files())
    for (const io::Path& abandoned : io::abandoned_files(file)) {
      std::error_code error;
      fs::remove(abandoned, error);
      if (error) fail<IoError>("cannot remove ", abandoned, ", left by a killed process: ", error.message());
    }
}

RunLock::RunLock(const RunDirectory& directory)
    : file_(::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (file_ < 0) fail<IoError>("cannot open ", directory.path.string(), ": ", std::strerror(errno));
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(file_);
  fail<IoError>(directory.path.string(),
                reason == EWOULDBLOCK ? ": another process is training there" : message(": ", std::strerror(reason)));
}

RunLock::~RunLock() { ::close(file_); }

bool RunLock::held(const RunDirectory& directory) {
  const int file = ::open(directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return false;
  const bool held = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return held;
}

}  // namespace bitgrad::cli
