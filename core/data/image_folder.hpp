// Pictures in a folder per class, as directories or in a zip archive.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

/// The names of the class folders, sorted by their bytes: the class of label i is number i. `source` is a directory
/// with a folder per class, or a zip archive whose entries are CLASS/PICTURE. Names that start with a dot, and
/// __MACOSX, are left out everywhere. Throws IoError naming the file or entry that is out of place, and the class
/// folder without pictures.
std::vector<std::string> image_folder_classes(const io::Path& source);

/// The pictures (.png, .jpg, .jpeg, in either case), uint8 [N, H, W, C], decoded in parallel by io::decode_image().
/// Their order is sorted by name with the classes in turn, the first picture of each, then the second of each, so that
/// the first so many are a fair sample. `classes` are those of the training split; empty: those found here. A class may
/// be missing. Throws IoError naming the file (and entry) and what was expected: as image_folder_classes() and
/// io::decode_image() do, for a class that is none of `classes`, and for pictures of different shapes.
Dataset read_image_folder(const io::Path& source, const std::vector<std::string>& classes = {});

/// Both of the bytes of a zip archive. Messages start with `what`, the file's name.
std::vector<std::string> picture_archive_classes(std::span<const std::byte> bytes, std::string_view what);
Dataset parse_picture_archive(std::span<const std::byte> bytes, std::string_view what,
                              const std::vector<std::string>& classes = {});

}  // namespace bitgrad::data
