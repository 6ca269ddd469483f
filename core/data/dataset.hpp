// Labelled images.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad::data {

enum class Split { train, test };

/// "train" or "test".
std::string_view name_of(Split split);

struct Dataset {
  Tensor images;  ///< uint8 [N, H, W, C], 0 to 255
  Tensor labels;  ///< int32 [N], 0 to classes - 1
  int classes = 0;
  std::vector<std::string> class_names;  ///< one per class, or empty

  Index size() const { return labels.size(); }
};

/// Throws ShapeError or ValueError that starts with `what` (the data set's name or files) when dtypes, ranks or counts
/// do not fit, a label is out of range, or the number of class names is wrong.
void check_dataset(const Dataset& dataset, std::string_view what);

/// Samples per class, one number for each of dataset.classes.
std::vector<Index> class_counts(const Dataset& dataset);

/// Mean and standard deviation of every channel.
struct ChannelStatistics {
  Tensor mean, deviation;  ///< float32 [C]
};

/// Of a uint8 tensor [N, H, W, C] as networks see it, in [0, 1]; summed exactly, in integers. A channel that is the
/// same everywhere has deviation 1. ShapeError for any other dtype or rank, ValueError for no images.
ChannelStatistics channel_statistics(const Tensor& images);

/// float32 tensor of the same shape with x / 255, correctly rounded, for every element of a uint8 tensor: what networks
/// see. Throws ShapeError for any other dtype.
Tensor to_unit_range(const Tensor& images);

}  // namespace bitgrad::data
