#include <numeric>

#include <bitgrad/core/permuted.hpp>
#include <bitgrad/qat/golden/detail/layout.hpp>

namespace bitgrad::golden::detail {
Layout Layout::of_images() { return Layout({0, 2, 3, 1}); }

Layout Layout::unchanged(int rank) {
  std::vector<int> axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  return Layout(std::move(axes));
}

Layout Layout::of_weights(int rank) {
  if (rank == 4) return Layout({2, 3, 1, 0});
  return Layout({1, 0});
}

int Layout::axis(int reference_axis) const {
  const int rank = static_cast<int>(axes_.size());
  return inverse()[static_cast<std::size_t>(normalize_axis(reference_axis, rank, "channels_axis"))];
}

Tensor Layout::apply(const Tensor& tensor, const std::vector<int>& axes) const {
  if (!tensor.defined() || tensor.rank() != static_cast<int>(axes.size())) return tensor;
  return permuted(tensor, axes);
}

std::vector<int> Layout::inverse() const {
  std::vector<int> result(axes_.size());
  for (std::size_t i = 0; i < axes_.size(); ++i) result[static_cast<std::size_t>(axes_[i])] = static_cast<int>(i);
  return result;
}

}  // namespace bitgrad::golden::detail
