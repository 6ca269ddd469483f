#include <bitgrad/core/io/file.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <system_error>

#include <bitgrad/core/error.hpp>

namespace bitgrad::io {
namespace {

/// strerror that is safe to call from several threads.
std::string reason(int error) { return std::generic_category().message(error); }

struct Descriptor {
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
  int value;
};

/// Repeats a call that a signal interrupted.
template <class F>
auto retry(F&& call) {
  decltype(call()) result;
  do result = call();
  while (result < 0 && errno == EINTR);
  return result;
}

/// Fills `content`, a vector or string, piece by piece: also right for pipes and files that grow.
template <class Content>
Content read_whole(const Path& path) {
  const Descriptor file{retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); })};
  if (file.value < 0) fail<IoError>("cannot open ", path, ": ", reason(errno));
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail<IoError>("cannot read ", path, ": ", reason(errno));
  Content content;
  content.resize(static_cast<std::size_t>(std::max<off_t>(status.st_size, 0)) + 1);  // one more, to see the end at once
  std::size_t used = 0;
  while (true) {
    const ssize_t got = retry([&] { return ::read(file.value, content.data() + used, content.size() - used); });
    if (got < 0) fail<IoError>("cannot read ", path, ": ", reason(errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used == content.size()) content.resize(content.size() * 2);
  }
  content.resize(used);
  return content;
}

/// Where a write to `path` ends up: the end of a chain of symbolic links, which may not exist yet.
Path resolve_links(Path path) {
  constexpr int longest_chain = 40;
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(path, error); ++links) {
    if (links == longest_chain) fail<IoError>("cannot write ", path, ": too many levels of symbolic links");
    path = path.parent_path() / std::filesystem::read_symlink(path, error);
    if (error) fail<IoError>("cannot write ", path, ": ", error.message());
  }
  return path;
}

std::optional<long> number_in(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 0 ? std::optional(value) : std::nullopt;
}

/// Of the middle of a temporary's name, PROCESS.COUNTER: whether the process is gone.
bool is_abandoned(std::string_view numbers) {
  const std::size_t dot = std::min(numbers.find('.'), numbers.size());
  const std::optional<long> process = number_in(numbers.substr(0, dot));
  if (!process || dot == numbers.size() || !number_in(numbers.substr(dot + 1))) return false;
  return *process > std::numeric_limits<pid_t>::max() ||
         (*process > 0 && ::kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH);
}

Path temporary_name(const Path& path) {
  static std::atomic<unsigned> counter{0};
  return path.string() + "." + std::to_string(::getpid()) + "." + std::to_string(counter++) + ".tmp";
}

}  // namespace

std::vector<Path> abandoned_files(const Path& path) {
  const std::string prefix = path.filename().string() + ".", suffix = ".tmp";
  std::vector<Path> found;
  std::error_code missing;
  for (const auto& entry :
       std::filesystem::directory_iterator(path.has_parent_path() ? path.parent_path() : Path("."), missing)) {
    const std::string name = entry.path().filename().string();
    if (name.size() < prefix.size() + suffix.size() || !name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    if (is_abandoned(std::string_view(name).substr(prefix.size(), name.size() - prefix.size() - suffix.size())))
      found.push_back(entry.path());
  }
  return found;
}

Bytes read_file(const Path& path) { return read_whole<Bytes>(path); }
std::string read_text_file(const Path& path) { return read_whole<std::string>(path); }

AtomicFile::AtomicFile(const Path& path) : path_(resolve_links(path)) {
  struct stat status {};
  if (::stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    fail<IoError>("cannot write ", path_, ": it exists and is ",
                  S_ISDIR(status.st_mode) ? "a directory" : "no regular file");
  int error = 0;
  do {
    temporary_ = temporary_name(path_);
    descriptor_ = retry([&] { return ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
    error = errno;
  } while (descriptor_ < 0 && error == EEXIST);  // left behind by a killed process of the same number
  if (descriptor_ < 0)
    fail<IoError>("cannot write ", path_, ": no file can be created in its directory: ", reason(error));
}

AtomicFile::~AtomicFile() { remove_temporary(); }

void AtomicFile::write(std::span<const std::byte> bytes) {
  if (descriptor_ < 0) fail<StateError>("AtomicFile::write: ", path_, " is already complete or has failed");
  while (!bytes.empty()) {
    const ssize_t written = retry([&] { return ::write(descriptor_, bytes.data(), bytes.size()); });
    if (written < 0) abandon("write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::sync() {
  if (descriptor_ < 0) fail<StateError>("AtomicFile::sync: ", path_, " is already complete or has failed");
  // Without fsync a crash soon after the rename may leave an empty file under the final name.
  if (retry([&] { return ::fsync(descriptor_); }) != 0) abandon("write", errno);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0 && errno != EINTR) abandon("close", errno);
}

void AtomicFile::commit() {
  if (temporary_.empty()) fail<StateError>("AtomicFile::commit: ", path_, " is already committed or has failed");
  if (descriptor_ >= 0) sync();
  struct stat status {};
  const bool is_new = ::lstat(path_.c_str(), &status) != 0 && errno == ENOENT;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) abandon("rename", errno);
  is_new_ = is_new;
  temporary_.clear();
  // The new name is durable once its directory is; not every file system can do it, and the file is whole in any case.
  const Path directory = path_.has_parent_path() ? path_.parent_path() : Path(".");
  const Descriptor parent{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (parent.value >= 0) ::fsync(parent.value);
}

void AtomicFile::withdraw() noexcept {
  if (is_new_) ::unlink(path_.c_str());
  is_new_ = false;
}

void AtomicFile::abandon(std::string_view doing, int error) {
  remove_temporary();
  fail<IoError>("cannot ", doing, ' ', path_, ": ", reason(error));
}

void AtomicFile::remove_temporary() noexcept {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void commit_together(std::span<AtomicFile* const> files) {
  for (AtomicFile* file : files) file->sync();
  std::size_t done = 0;
  try {
    for (; done < files.size(); ++done) files[done]->commit();
  } catch (...) {
    while (done > 0) files[--done]->withdraw();
    throw;
  }
}

void require_writable(const Path& path) { const AtomicFile removed_at_once(path); }

void write_file_atomically(const Path& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void write_file_atomically(const Path& path, std::string_view text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

void write_files_atomically(std::span<const FileContent> files) {
  for (std::size_t i = 0; i < files.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (resolve_links(files[i].path).lexically_normal() == resolve_links(files[j].path).lexically_normal())
        fail<ValueError>("two files are to be written to ", files[i].path, ", expected different paths");
  std::deque<AtomicFile> open;
  std::vector<AtomicFile*> all;
  for (const FileContent& file : files) {
    open.emplace_back(file.path).write(file.bytes);
    all.push_back(&open.back());
  }
  commit_together(all);
}

}  // namespace bitgrad::io
