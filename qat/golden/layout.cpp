#include <numeric>

#include <bitgrad/qat/golden/detail/layout.hpp>

namespace bitgrad::golden::detail {
namespace {

template <class T>
void permute(const Tensor& from, const std::vector<Index>& strides, Tensor& to) {
  const Shape& shape = to.shape();
  std::vector<Index> place(static_cast<std::size_t>(shape.rank()), 0);
  for (Index i = 0; i < to.size(); ++i) {
    Index source = 0;
    for (std::size_t axis = 0; axis < place.size(); ++axis) source += place[axis] * strides[axis];
    to.data<T>()[i] = from.data<T>()[source];
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      if (++place[static_cast<std::size_t>(axis)] < shape[axis]) break;
      place[static_cast<std::size_t>(axis)] = 0;
    }
  }
}

}  // namespace

Tensor permuted(const Tensor& tensor, const std::vector<int>& axes) {
  std::vector<Index> extents, strides;
  for (const int axis : axes) {
    Index stride = 1;
    for (int inner = axis + 1; inner < tensor.rank(); ++inner) stride *= tensor.dim(inner);
    strides.push_back(stride);
    extents.push_back(tensor.dim(axis));
  }
  Tensor result(Shape(std::span<const Index>(extents)), tensor.dtype());
  if (tensor.dtype() == DType::float64)
    permute<double>(tensor, strides, result);
  else
    permute<float>(tensor, strides, result);
  return result;
}

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
