// Whole files in, whole files out.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitgrad::io {

using Path = std::filesystem::path;
using Bytes = std::vector<std::byte>;

/// The content of a file. Throws IoError with the path and the system's reason.
Bytes read_file(const Path& path);
std::string read_text_file(const Path& path);

/// A file that appears under its name only when it is complete. It is written beside its target under a temporary name;
/// commit() brings it to the disk (fsync) and renames it. Without commit(), or after any failure, the temporary is
/// removed and whatever was there before is untouched. A symbolic link is followed; a target that exists and is no
/// regular file is refused. Every failure is an IoError with the target's path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(const Path& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws StateError after sync() and commit().
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  /// Brings what is written to the disk, still under the temporary name.
  void sync();
  /// sync(), unless that is done, and the file's name.
  void commit();
  /// Takes commit() back: removes the file when nothing had its name before. What it replaced does not come back, so
  /// that a file that replaced another stays.
  void withdraw() noexcept;

 private:
  [[noreturn]] void abandon(std::string_view doing, int error);
  void remove_temporary() noexcept;

  Path path_;
  Path temporary_;
  int descriptor_ = -1;
  bool is_new_ = false;  ///< committed, and nothing had the name before
};

/// Commits files of one operation: all are on the disk before the first gets its name, so that a full disk leaves none
/// of them behind. When one cannot get its name, those before it are withdrawn and the exception goes on: then no file
/// is new, but files that replaced older ones are already the new ones. (File systems rename one file at a time; a
/// crash between two renames leaves the first.)
void commit_together(std::span<AtomicFile* const> files);

/// Temporaries beside `path` that processes have left which are gone, killed while they wrote it. None where there is
/// no such directory.
std::vector<Path> abandoned_files(const Path& path);

/// IoError where AtomicFile would have one: for before a long computation whose result the file is to hold.
void require_writable(const Path& path);

/// AtomicFile in one call; IoError as there.
void write_file_atomically(const Path& path, std::span<const std::byte> bytes);
void write_file_atomically(const Path& path, std::string_view text);

/// Several files of one operation, all or none as far as commit_together() can. ValueError when two have the same path;
/// IoError as AtomicFile.
struct FileContent {
  Path path;
  Bytes bytes;
};
void write_files_atomically(std::span<const FileContent> files);

}  // namespace bitgrad::io
