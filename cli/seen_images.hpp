// Whether a model knows the images that it is to be tested on.
#pragma once

#include <bitgrad/cli/train_arguments.hpp>

namespace bitgrad::cli {

/// UsageError for a run with --hold-out whose --from, a run or a checkpoint in the directory of one, was trained on
/// images that would be held out, or what that one started from was. Of weights without run.json, and of runs on other
/// data, nothing is known. IoError for a malformed run.json.
void refuse_seen_images(const TrainArguments& arguments);

}  // namespace bitgrad::cli
