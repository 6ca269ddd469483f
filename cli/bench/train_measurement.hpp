// A model's training step, timed as a whole and operation by operation.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <bitgrad/cli/bench/quantiles.hpp>
#include <bitgrad/cli/bench/work.hpp>
#include <bitgrad/cli/bench/workload.hpp>

namespace bitgrad::cli {

/// What one operation (or several together) took of a step.
struct StepShare {
  std::string name;
  std::int64_t calls = 0;  ///< in a step
  double forward_ms = 0, backward_ms = 0;
  Work work = {};  ///< in a step

  double ms() const { return forward_ms + backward_ms; }
};

/// Where the time of a step goes. The parts add up to step_ms.
struct StepSplit {
  std::size_t steps = 0;  ///< that are averaged: those between the quartiles of all steps
  double step_ms = 0;
  double batch_ms = 0;      ///< before the tape: images of the batch, gradients set to zero
  double optimizer_ms = 0;  ///< after the tape: optimizer, checks for numbers that are not finite, accuracy
  std::vector<StepShare> operations = {};  ///< every operation of the model, by path, in order of execution

  /// Summed over operations of one name ("conv2d"), the slowest first.
  std::vector<StepShare> by_name() const;
  /// Summed over the operations of one layer ("stack1/main/conv1"), in order of execution; "model" for those outside of
  /// layers.
  std::vector<StepShare> by_layer() const;
};

struct TrainMeasurement {
  Quantiles step_ms;
  std::size_t steps = 0;
  double images_per_second = 0;    ///< batch / median step
  double baseline_memory_mib = 0;  ///< largest resident memory of the process before the first step
  double peak_memory_mib = 0;      ///< the same after the last
  double tensor_memory_mib = 0;    ///< largest sum of tensors alive at one time
  StepSplit split;
};

/// What of a training matters to the time of its steps.
struct TrainingSetup {
  std::string optimizer = "adam";
  std::string augmentation = "none";  ///< as data::parse_augmentation() takes it
};

/// Trains for a warm-up, then `seconds` for the whole step, then a quarter of that for the split. The learning rate is
/// so small that the weights stay about where they are. Throws as Trainer does.
TrainMeasurement measure_training(const Workload& workload, const TrainingSetup& setup, double seconds);

}  // namespace bitgrad::cli
