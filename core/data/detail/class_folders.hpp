// A folder of pictures for each class, by the names of the files alone.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

/// Class folders and the names of their pictures, all sorted.
using ClassFolders = std::map<std::string, std::vector<std::string>>;

/// True when a folder in this directory holds a picture: what is out of place beside it is for list_class_folders() to
/// name. Hidden names are left out.
bool has_class_folders(const io::Path& source);

/// Those of a directory. Throws IoError as image_folder_classes() does.
ClassFolders list_class_folders(const io::Path& source);

/// Those of the entries of an archive; messages start with `source`, its name.
ClassFolders list_class_folders(const std::vector<std::string>& entries, std::string_view source);

}  // namespace bitgrad::data
