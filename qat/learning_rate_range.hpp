// Which learning rates a model can take: the range test of Smith, "Cyclical learning rates for training neural
// networks", WACV 2017, section 3.3, with a rate that rises exponentially.
#pragma once

#include <optional>
#include <vector>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/layers/model.hpp>
#include <bitgrad/qat/training_options.hpp>

namespace bitgrad {

struct RateRangeOptions {
  double from = 1e-6;  ///< rate of the first step
  double to = 1;       ///< rate of the last step
  Index steps = 200;
  double smoothing = 0.9;  ///< of the loss: decay of its moving average, which is corrected for its start at zero
};

struct RateStep {
  double rate = 0;
  double loss = 0;
  double smoothed = 0;
};

struct RateRange {
  std::vector<RateStep> steps;    ///< as many as were done
  bool exploded = false;          ///< ended early: smoothed loss above four times its lowest, or a number not finite
  double lowest = 0;              ///< rate at which the smoothed loss was lowest
  double steepest = 0;            ///< rate at which it fell fastest, per factor of the rate
  std::optional<double> highest;  ///< a rate for the peak of a schedule: a tenth of `lowest`; empty: it did not learn
};

/// Trains a copy of the model step by step at rising rates, with optimizer, batch size and all else of `options` but
/// its epochs, schedule, warm-up and average. It counts as learning when the smoothed loss gets a tenth below that of
/// step 10. ValueError for options out of range, and where not even the first steps are finite; else as Trainer throws.
RateRange learning_rate_range(const Model& model, const data::Dataset& train, TrainingOptions options,
                              const RateRangeOptions& range = {});

}  // namespace bitgrad
