// The data of a run, as its report.json and run.json name them.
#pragma once

#include <cstdint>
#include <string>

#include <bitgrad/cli/configured_options.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/core/data/dataset.hpp>

namespace bitgrad::cli {

/// Which training images a run takes, and which of them it holds out, as its options say.
struct Draw {
  double share;  ///< 0: none are held out
  std::uint64_t seed;
  Index limit;  ///< 0: all
};

/// That of a run with these options; IoError for what is no number.
Draw draw_of(const ConfiguredOptions& options);

/// What --data was: the name or path of the data set that the run was trained on; IoError for a malformed report.
/// fashion-mnist, the default of --data, for a run without report.
std::string data_of(const RunDirectory& run);

/// Those images of a data set that a run of these options trains on: the first of them with --limit, without those of
/// --hold-out, which the run is tested on. IoError for a malformed run.json.
data::Dataset training_images(const RunDirectory& run, const std::string& name_or_path);

/// The images that the run has not trained on: those of --hold-out, or else all test images, whatever its --limit was.
/// IoError for a malformed run.json.
data::Dataset unseen_images(const RunDirectory& run, const std::string& name_or_path);

}  // namespace bitgrad::cli
