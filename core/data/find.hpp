// Data sets by name or path.
#pragma once

#include <string>
#include <string_view>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

enum class Split { train, test };

/// "train" or "test".
std::string_view name_of(Split split);

/// The directory of a data set. A known name, `fashion-mnist` or `mnist`, is looked for in $BITGRAD_DATA_DIR/NAME, then
/// $XDG_CACHE_HOME/bitgrad/NAME (default ~/.cache/bitgrad/NAME), then /usr/share/datasets/NAME; anything else is the path of a
/// directory (a directory that is called like a known name is written ./NAME). Nothing is ever downloaded. Throws IoError
/// that lists every place searched and says how to get the data, ValueError for a name that is neither.
io::Path find_dataset(const std::string& name_or_path);

/// The data set in find_dataset(): the files train-images-idx3-ubyte and train-labels-idx1-ubyte, or t10k-..., each plain or with .gz.
/// A known name brings its classes and their names; a path has as many classes as its training labels say.
/// Throws as find_dataset() and read_idx_dataset() do.
Dataset load_dataset(const std::string& name_or_path, Split split);

}  // namespace bitgrad::data
