// The grid of a sweep: which options take which values, and which of its runs share their float training.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace bitgrad::cli {

/// An option of `bitgrad train`, without dashes, and its value.
struct Setting {
  std::string option, value;
  bool operator==(const Setting&) const = default;
};

/// A run of the grid: a setting per option, in the order of the axes.
using GridPoint = std::vector<Setting>;

/// Every combination of the axes, the last one fastest. An axis is "OPTION=VALUE,VALUE", or "OPTION+OPTION=V+V,V+V" for
/// options that go together; the values of either may be a JSON list, "OPTION=["8,4,2", "4,2"]". UsageError naming the
/// axis: no values, values of another number than options, an option that train does not have (with the nearest), that
/// stands twice, or that is the sweep's own.
std::vector<GridPoint> parse_grid(const std::vector<std::string>& axes);

/// A name for files: "weights-lsq-4_seed-1".
std::string name_of(const GridPoint& point);

/// Throws what read_configuration() does for a file with keys or kinds of values that bitgrad train does not have.
void check_configuration(const io::Path& path);

/// Throws what `bitgrad train` does for options by themselves, before it reads images or checkpoints: UsageError for a
/// value that it does not take or, with --resume, another one than the run began with; IoError for files and data sets
/// that are not there.
void check_train_options(const std::vector<std::string>& options);

/// The settings that decide the float model: all but those that bitgrad train lists as quantization's.
GridPoint float_settings(const GridPoint& point);

}  // namespace bitgrad::cli
