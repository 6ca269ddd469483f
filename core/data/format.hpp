// What a path holds, told by the names of its files.
#pragma once

#include <string>
#include <string_view>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

enum class Format {
  idx,            ///< a directory with train-images-idx3-ubyte(.gz), train-labels-..., t10k-...: idx.hpp
  cifar10,        ///< a directory with data_batch_*.bin and test_batch.bin: cifar.hpp
  folders,        ///< a directory with train/ and test/, each with a folder of pictures per class: image_folder.hpp
  zips,           ///< a directory with train.zip and test.zip, each with folders as above: image_folder.hpp
  class_folders,  ///< a directory with a folder of pictures per class, training images alone: image_folder.hpp
  class_zip,      ///< a file NAME.zip with a folder of pictures per class, training images alone: image_folder.hpp
  npz,            ///< a file NAME.npz with x_train, y_train, x_test, y_test: npz.hpp
};

/// "IDX", "CIFAR-10 binary", "image folders", "zipped image folders", "class folders", "zipped class folders", "npz".
std::string_view name_of(Format format);

/// All formats and their files in a sentence, for messages.
std::string known_formats();

/// The format of a directory or file. A directory has class folders when it has files of no other format: train/ and
/// test/ are splits, not classes. Throws IoError naming the path when it is none, or when it is more than one.
Format detect_format(const io::Path& path);

/// True when the files of the split, or some of them, are there. Throws IoError when an npz file cannot be read.
bool has_split(const io::Path& path, Split split);

/// The split in `path`. The classes, and their names where the format has them, are those of the training split, so
/// that it has to be there; classes > 0 is their number for formats that know it only from the labels of the files
/// (IDX). Throws as detect_format() and the readers of the formats do, and IoError that speaks of hold_out() for the
/// test split of training images alone.
Dataset read_dataset(const io::Path& path, Split split, int classes = 0);

}  // namespace bitgrad::data
