#include <bitgrad/cli/run_directory.hpp>

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

}  // namespace bitgrad::cli
