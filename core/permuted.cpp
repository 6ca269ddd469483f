#include <bitgrad/core/permuted.hpp>

#include <algorithm>
#include <vector>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

void require_all_axes(const Tensor& tensor, std::span<const int> axes) {
  std::vector<int> sorted(axes.begin(), axes.end());
  std::ranges::sort(sorted);
  bool all = static_cast<int>(sorted.size()) == tensor.rank();
  for (int axis = 0; all && axis < tensor.rank(); ++axis) all = sorted[static_cast<std::size_t>(axis)] == axis;
  if (all) return;
  std::string text;
  for (const int axis : axes) text += message(text.empty() ? "" : ", ", axis);
  fail<ValueError>("permuted: axes are ", text, ", expected each of the ", tensor.rank(), " axes of the tensor once");
}

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

Tensor permuted(const Tensor& tensor, std::span<const int> axes) {
  require_all_axes(tensor, axes);
  std::vector<Index> extents, strides;
  for (const int axis : axes) {
    Index stride = 1;
    for (int inner = axis + 1; inner < tensor.rank(); ++inner) stride *= tensor.dim(inner);
    strides.push_back(stride);
    extents.push_back(tensor.dim(axis));
  }
  Tensor result(Shape(std::span<const Index>(extents)), tensor.dtype());
  dispatch_floating("permuted", tensor.dtype(), [&](auto zero) { permute<decltype(zero)>(tensor, strides, result); });
  return result;
}

}  // namespace bitgrad
