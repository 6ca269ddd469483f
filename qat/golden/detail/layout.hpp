// Between the reference's channels-first tensors and bitgrad's channels-last ones.
#pragma once

#include <vector>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad::golden::detail {

/// The order of axes of one kind of tensor.
class Layout {
 public:
  /// Channels-first images.
  static Layout of_images();
  /// Tensors of any rank that stay as they are.
  static Layout unchanged(int rank);
  /// Kernels of a convolution (rank 4) or a linear layer (rank 2).
  static Layout of_weights(int rank);

  /// Tensors of another rank than the layout's stay as they are: parameters for the whole tensor.
  Tensor to_ours(const Tensor& tensor) const { return apply(tensor, axes_); }
  Tensor to_reference(const Tensor& tensor) const { return apply(tensor, inverse()); }
  /// Where an axis of the reference's tensor is in ours; negative axes count from the end.
  int axis(int reference_axis) const;

 private:
  explicit Layout(std::vector<int> axes) : axes_(std::move(axes)) {}
  Tensor apply(const Tensor& tensor, const std::vector<int>& axes) const;
  std::vector<int> inverse() const;

  std::vector<int> axes_;
};

}  // namespace bitgrad::golden::detail
