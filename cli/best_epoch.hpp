// The epoch with the highest test accuracy, and when to stop waiting for a higher one.
#pragma once

#include <cstdint>
#include <vector>

#include <bitgrad/core/named_tensors.hpp>

namespace bitgrad::cli {

class BestEpoch {
 public:
  /// True when this is the highest accuracy so far; the earlier of equals is the best.
  bool add(std::int64_t epoch, double accuracy) {
    last_ = epoch;
    if (epoch_ > 0 && !(accuracy > accuracy_)) return false;
    epoch_ = epoch;
    accuracy_ = accuracy;
    return true;
  }
  /// True when the best is at least `patience` epochs ago; never for patience 0.
  bool exhausted(std::int64_t patience) const { return patience > 0 && epoch_ > 0 && last_ - epoch_ >= patience; }
  std::int64_t epoch() const { return epoch_; }  ///< 0: none yet
  double accuracy() const { return accuracy_; }

  /// To and from the progress of a checkpoint, where "best" is float64 [3].
  void store(NamedTensors& progress) const {
    if (epoch_ == 0) return;
    const std::vector<double> values{static_cast<double>(epoch_), accuracy_, static_cast<double>(last_)};
    progress.add("best", Tensor::from({3}, values));
  }
  void restore(const NamedTensors& progress) {
    const Tensor* found = progress.find("best");
    if (!found) return;
    if (found->dtype() != DType::float64 || found->shape() != Shape{3})
      fail<ShapeError>("\"best\" of the checkpoint is ", found->dtype(), ' ', found->shape(), ", expected float64 (3)");
    epoch_ = static_cast<std::int64_t>(found->span<double>()[0]);
    accuracy_ = found->span<double>()[1];
    last_ = static_cast<std::int64_t>(found->span<double>()[2]);
  }

 private:
  std::int64_t epoch_ = 0, last_ = 0;
  double accuracy_ = 0;
};

}  // namespace bitgrad::cli
