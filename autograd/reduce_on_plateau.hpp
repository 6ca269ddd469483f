// A learning rate that falls when training gets stuck. Unlike a Schedule it has a memory, which checkpoints keep.
#pragma once

#include <limits>

#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad {

struct PlateauOptions {
  double factor = 0.1;      ///< times the rate; 0 < factor < 1
  int patience = 2;         ///< epochs in a row without improvement that are let pass
  double threshold = 1e-4;  ///< an improvement is a loss below best * (1 - threshold); 0 <= threshold < 1
};

/// Multiplies the learning rate by `factor` after more than `patience` epochs without a better loss: the rule of
/// PyTorch's ReduceLROnPlateau (mode min, relative threshold, no cooldown). Losses are expected to be positive.
class ReduceOnPlateau {
 public:
  /// Throws ValueError for options out of range.
  explicit ReduceOnPlateau(const PlateauOptions& options = {});

  /// An epoch is done. Throws ValueError when the loss is not finite.
  void observe(double loss);
  /// What the learning rate is to be multiplied by.
  double factor() const { return factor_; }

  /// For checkpoints: "factor" and "best", float64, and "bad_epochs", int32; scalars.
  NamedTensors state() const;
  /// Throws ValueError for a missing name, another dtype or shape, or a value that observe() cannot have made.
  void load_state(const NamedTensors& state);

 private:
  PlateauOptions options_;
  double factor_ = 1;
  double best_ = std::numeric_limits<double>::infinity();
  int bad_epochs_ = 0;
};

}  // namespace bitgrad
