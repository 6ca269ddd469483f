// Ranges of training options, in the words of the command line.
#pragma once

#include <bitgrad/qat/training_options.hpp>

namespace bitgrad::cli {

/// Whose options they are: some have a name of their own for each.
enum class TrainedModel { plain, quantized };

/// UsageError for a field that is out of range, with the option that sets it: "--batch 0: expected at least 1".
void check_training(const TrainingOptions& options, TrainedModel model);

}  // namespace bitgrad::cli
