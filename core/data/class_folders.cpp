#include <algorithm>
#include <cctype>
#include <utility>

#include <bitgrad/core/data/detail/class_folders.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::data {
namespace {

namespace fs = std::filesystem;
using io::Path;

bool is_hidden(std::string_view name) { return name.starts_with('.') || name == "__MACOSX"; }

bool is_picture_name(const std::string& name) {
  std::string extension = Path(name).extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

void require_picture_name(const std::string& name, const std::string& where) {
  if (!is_picture_name(name))
    fail<IoError>(where, ": not a picture, expected a name that ends with .png, .jpg or .jpeg");
}

bool has_picture(const Path& folder) {
  const fs::directory_iterator files(folder, fs::directory_options::skip_permission_denied);
  return std::ranges::any_of(files, [](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    return !is_hidden(name) && is_picture_name(name) && !entry.is_directory();
  });
}

ClassFolders checked(ClassFolders folders, std::string_view source) {
  if (folders.empty()) fail<IoError>(source, ": no folders, expected one for each class");
  for (auto& [name, pictures] : folders) {
    if (pictures.empty())
      fail<IoError>(source, ": the class folder \"", name, "\" is empty, expected .png, .jpg or .jpeg pictures");
    std::ranges::sort(pictures);
  }
  return folders;
}

}  // namespace

bool has_class_folders(const Path& source) {
  return std::ranges::any_of(fs::directory_iterator(source), [](const fs::directory_entry& entry) {
    return !is_hidden(entry.path().filename().string()) && entry.is_directory() && has_picture(entry.path());
  });
}

ClassFolders list_class_folders(const Path& source) {
  ClassFolders folders;
  for (const auto& folder : fs::directory_iterator(source)) {
    const std::string name = folder.path().filename().string();
    if (is_hidden(name)) continue;
    if (!folder.is_directory())
      fail<IoError>(folder.path().string(), ": a file beside the class folders, expected folders alone");
    std::vector<std::string>& pictures = folders[name];
    for (const auto& picture : fs::directory_iterator(folder)) {
      const std::string file = picture.path().filename().string();
      if (is_hidden(file)) continue;
      if (picture.is_directory())
        fail<IoError>(picture.path().string(), ": a folder in a class folder, expected pictures alone");
      require_picture_name(file, picture.path().string());
      pictures.push_back(file);
    }
  }
  return checked(std::move(folders), source.string());
}

ClassFolders list_class_folders(const std::vector<std::string>& entries, std::string_view source) {
  ClassFolders folders;
  for (const std::string& entry : entries) {
    const std::size_t slash = entry.find('/');
    const std::string folder = entry.substr(0, slash), file = slash == std::string::npos ? "" : entry.substr(slash + 1);
    if (is_hidden(folder) || is_hidden(file)) continue;
    const std::string where = message(source, ": entry \"", entry, '"');
    if (slash == std::string::npos || folder.empty() || file.find('/') != std::string::npos)
      fail<IoError>(where, " is out of place, expected CLASS/PICTURE");
    std::vector<std::string>& pictures = folders[folder];
    if (file.empty()) continue;  // the entry of the folder itself
    require_picture_name(file, where);
    pictures.push_back(file);
  }
  return checked(std::move(folders), source);
}

}  // namespace bitgrad::data
