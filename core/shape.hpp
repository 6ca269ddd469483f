// The extents of a tensor.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitgrad {

/// Element counts, offsets and extents.
using Index = std::int64_t;

/// Up to `max_rank` extents, outermost first; `Shape{}` is a scalar of one element.
class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  /// Throws ShapeError for negative extents, more than max_rank of them, or a product that overflows.
  Shape(std::initializer_list<Index> extents);
  explicit Shape(std::span<const Index> extents);

  int rank() const { return rank_; }
  /// Extent of an axis; negative axes count from the end. Throws ShapeError when out of range.
  Index operator[](int axis) const;
  /// Product of the extents; 1 for a scalar.
  Index size() const;
  std::span<const Index> extents() const { return {extents_.data(), static_cast<std::size_t>(rank_)}; }

  /// This shape with one extent replaced, appended in front, or with the outermost one removed. ShapeError for an axis
  /// out of range, for a scalar without an outermost axis, and as the constructors.
  Shape with(int axis, Index extent) const;
  Shape prepended(Index extent) const;
  Shape without_front() const;

  bool operator==(const Shape& other) const = default;

 private:
  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

/// "(64, 28, 28, 1)"
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// `axis` counted from the front: -1 becomes rank-1. Throws ShapeError naming `what` when out of range.
int normalize_axis(int axis, int rank, std::string_view what);

/// NumPy's broadcasting: extents equal or 1, aligned at the last axis. Throws ShapeError naming `what` and both shapes.
Shape broadcast_shapes(const Shape& a, const Shape& b, std::string_view what);

}  // namespace bitgrad
