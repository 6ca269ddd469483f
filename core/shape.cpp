#include <bitgrad/core/shape.hpp>

#include <algorithm>
#include <ostream>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

Shape::Shape(std::initializer_list<Index> extents) : Shape(std::span<const Index>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const Index> extents) : rank_(static_cast<int>(extents.size())) {
  if (extents.size() > max_rank)
    fail<ShapeError>("shape of rank ", extents.size(), ", at most ", max_rank, " is supported");
  Index product = 1;
  for (const Index extent : extents) {
    if (extent < 0) fail<ShapeError>("shape with a negative extent: ", extent);
    if (__builtin_mul_overflow(product, std::max<Index>(extent, 1), &product))
      fail<ShapeError>("shape whose number of elements does not fit 64 bits");
  }
  std::copy(extents.begin(), extents.end(), extents_.begin());
}

Index Shape::operator[](int axis) const {
  return extents_[static_cast<std::size_t>(normalize_axis(axis, rank_, "shape"))];
}

Index Shape::size() const {
  Index product = 1;
  for (const Index extent : extents()) product *= extent;
  return product;
}

Shape Shape::with(int axis, Index extent) const {
  Shape result = *this;
  result.extents_[static_cast<std::size_t>(normalize_axis(axis, rank_, "shape"))] = extent;
  return Shape(result.extents());
}

Shape Shape::prepended(Index extent) const {
  std::vector<Index> result{extent};
  result.insert(result.end(), extents().begin(), extents().end());
  return Shape(result);
}

Shape Shape::without_front() const {
  if (rank_ == 0) fail<ShapeError>("a scalar has no outermost axis to remove");
  return Shape(extents().subspan(1));
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.rank(); ++axis) text += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

int normalize_axis(int axis, int rank, std::string_view what) {
  if (axis < -rank || axis >= rank)
    fail<ShapeError>(what, ": axis ", axis, " is out of range for rank ", rank, ", expected ", -rank, " to ", rank - 1);
  return axis < 0 ? axis + rank : axis;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, std::string_view what) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<Index> extents(static_cast<std::size_t>(rank));
  for (int axis = -1; axis >= -rank; --axis) {
    const Index left = axis >= -a.rank() ? a[axis] : 1;
    const Index right = axis >= -b.rank() ? b[axis] : 1;
    if (left != right && left != 1 && right != 1)
      fail<ShapeError>(what, ": shapes ", a, " and ", b, " do not broadcast: axis ", axis, " has ", left, " and ",
                       right);
    extents[static_cast<std::size_t>(rank + axis)] = left == 1 ? right : left;
  }
  return Shape(extents);
}

}  // namespace bitgrad
