// Data sets in one .npz file, as Keras and many scripts keep them.
#pragma once

#include <span>
#include <string_view>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

/// The arrays x_train and y_train, or x_test and y_test: images are uint8 [N, H, W] or [N, H, W, C], labels whole
/// numbers of any width, [N] or [N, 1]. The classes are those of class_names, strings [classes] with at least one for
/// every label of y_train, or without it the largest label of y_train + 1; at most 65,536. Other arrays are left alone.
/// Throws IoError that starts with `what`, the file's name, and names the array and what it is or holds and should.
Dataset parse_npz_dataset(std::span<const std::byte> bytes, std::string_view what, Split split);

/// parse_npz_dataset() of a file.
Dataset read_npz_dataset(const io::Path& path, Split split);

/// True when the images of the split are there; only the names of the arrays are read. Throws IoError for a file that
/// cannot be read or is no archive.
bool npz_has_split(const io::Path& path, Split split);

}  // namespace bitgrad::data
