// Data sets by name or path.
#pragma once

#include <string>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/file.hpp>

namespace bitgrad::data {

/// Where a data set is. A known name, `fashion-mnist`, `mnist` or `cifar10`, is looked for in the directories
/// $BITGRAD_DATA_DIR/NAME, then $XDG_CACHE_HOME/bitgrad/NAME (default ~/.cache/bitgrad/NAME), then
/// /usr/share/datasets/NAME; anything else is the path of a directory or file (one that is called like a known name is
/// written ./NAME). Nothing is ever downloaded. Throws IoError that lists every place searched and says how to get the
/// data, ValueError for a name that is neither.
io::Path find_dataset(const std::string& name_or_path);

/// The data set in find_dataset(), in any Format. A known name brings its classes and their names; otherwise they are
/// those of the training split. Throws as find_dataset() and read_dataset() do.
Dataset load_dataset(const std::string& name_or_path, Split split);

}  // namespace bitgrad::data
