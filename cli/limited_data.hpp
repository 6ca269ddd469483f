// The data that --data and --limit name.
#pragma once

#include <string>

#include <bitgrad/core/data/find.hpp>

namespace bitgrad::cli {

/// What --data takes, for help texts.
inline constexpr const char* data_help = "Data set: fashion-mnist, mnist, cifar10, or a path, see bitgrad data --help";

/// UsageError with the nearest name for a data set that is neither known nor a path; IoError for one that is not there.
void require_dataset(const std::string& name_or_path);

/// The split, or its first `limit` samples when limit is positive.
data::Dataset load_limited(const std::string& name_or_path, data::Split split, Index limit);
/// Its first `limit` samples when limit is positive.
data::Dataset limited(data::Dataset dataset, Index limit);

}  // namespace bitgrad::cli
