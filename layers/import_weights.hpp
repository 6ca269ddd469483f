// Weights from files that something else wrote.
#pragma once

#include <string_view>

#include <bitgrad/core/named_tensors.hpp>
#include <bitgrad/layers/model.hpp>

namespace bitgrad {

/// How a file's weights are laid out and called.
enum class WeightLayout {
  /// As here: kernels [height, width, in / groups, out] and [in, out]; "conv1/kernel", "bn1/moving_mean".
  bitgrad,
  /// As in PyTorch's state_dict(): kernels [out, in / groups, height, width] (depthwise ones [in * M, 1, height,
  /// width]) and [out, in]; "conv1.weight", "bn1.running_var".
  /// The inputs of a dense layer behind a Flatten are in the order of [channels, height, width].
  pytorch,
};

/// "bitgrad" or "pytorch".
std::string_view name_of(WeightLayout layout);
/// The layout of that name; ValueError with the nearest name for another.
WeightLayout parse_weight_layout(std::string_view name);

/// Loads tensors into a built model, by name, where a "." of the file's names counts as "/". Everything has to fit:
/// nothing is loaded and ValueError or ShapeError is thrown, naming each tensor that is missing, unexpected or of
/// another shape or dtype, or one that holds a NaN or an infinity. NotImplementedError for a kernel whose layer has no
/// known counterpart in PyTorch.
void import_weights(Model& model, const NamedTensors& tensors, WeightLayout layout = WeightLayout::bitgrad);

}  // namespace bitgrad
