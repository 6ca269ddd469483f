#include <bitgrad/cli/run_directory.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <bitgrad/cli/event_file.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {

namespace fs = std::filesystem;

std::string RunDirectory::name() const {
  const io::Path normal = path.lexically_normal();
  const std::string name = (normal.has_filename() ? normal : normal.parent_path()).filename().string();
  return name.empty() ? path.string() : name;
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

bool RunDirectory::clear() const {
  bool found = fs::exists(float_checkpoint());
  std::vector<io::Path> files{report(),
                              page(),
                              configuration(),
                              sensitivity(),
                              quantized_checkpoint(),
                              best_float_checkpoint(),
                              best_quantized_checkpoint(),
                              metrics(),
                              graph() / "graph.json",
                              graph() / "graph.npz",
                              graph()};
  for (const io::Path& file : EventFile::find(path)) files.push_back(file);
  for (const io::Path& file : files) {
    std::error_code error;
    found = fs::remove(file, error) || found;
    if (error) fail<IoError>("cannot remove ", file, " of an earlier run: ", error.message());
  }
  return found;
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

}  // namespace bitgrad::cli
