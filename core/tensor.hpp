// The n-dimensional array of bitgrad.
#pragma once

#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <bitgrad/core/dtype.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/shape.hpp>

namespace bitgrad {

/// A shared handle on a contiguous, row-major buffer (NumPy's C order). Copying a Tensor copies the handle: both see
/// the same elements; `clone()` copies the elements. A default-constructed Tensor is undefined and holds nothing.
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised elements in a 64-byte aligned buffer of the pool. Throws ShapeError when their bytes do not fit 63
  /// bits.
  explicit Tensor(const Shape& shape, DType dtype = DType::float32);

  static Tensor zeros(const Shape& shape, DType dtype = DType::float32);
  /// Every element `value`, converted as by to(); ValueError as there.
  static Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
  /// A rank-0 tensor; ValueError likewise.
  static Tensor scalar(double value, DType dtype = DType::float32);
  /// Elements in row-major order; throws ShapeError when their number is not shape.size().
  template <class T>
  static Tensor from(const Shape& shape, std::span<const T> values);
  static Tensor from(const Shape& shape, std::initializer_list<float> values) {
    return from(shape, std::span<const float>(values.begin(), values.size()));
  }
  template <class T>
  static Tensor from(const Shape& shape, const std::vector<T>& values) {
    return from(shape, std::span<const T>(values));
  }

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  int rank() const { return shape_.rank(); }
  Index size() const { return defined() ? shape_.size() : 0; }
  /// Extent of an axis; negative axes count from the end. ShapeError when out of range.
  Index dim(int axis) const { return shape_[axis]; }

  /// The elements. Throws ShapeError when the tensor is undefined or T is not its dtype.
  template <class T>
  T* data() {
    check_access(dtype_of<T>);
    return reinterpret_cast<T*>(buffer_.get());
  }
  template <class T>
  const T* data() const {
    check_access(dtype_of<T>);
    return reinterpret_cast<const T*>(buffer_.get());
  }
  template <class T>
  std::span<T> span() {
    return {data<T>(), static_cast<std::size_t>(size())};
  }
  template <class T>
  std::span<const T> span() const {
    return {data<T>(), static_cast<std::size_t>(size())};
  }
  /// The elements as bytes; null for an undefined tensor.
  std::byte* bytes() { return buffer_.get(); }
  const std::byte* bytes() const { return buffer_.get(); }
  std::size_t byte_size() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }

  /// One element: `t.at<float>({0, 3, -1})`. Throws ShapeError for a wrong number of indices or one out of range.
  template <class T>
  T& at(std::initializer_list<Index> indices) {
    return data<T>()[offset(indices)];
  }
  template <class T>
  const T& at(std::initializer_list<Index> indices) const {
    return data<T>()[offset(indices)];
  }
  /// The only element of a one-element tensor, as a double. Throws ShapeError for any other.
  double item() const;

  /// A copy with elements of its own; of an undefined tensor an undefined one.
  Tensor clone() const;
  /// A copy converted element by element (C++ conversion: fractions are cut off); the tensor itself when dtype is
  /// already right. Throws ValueError for a value that an integer dtype cannot hold, NaN included.
  Tensor to(DType dtype) const;
  /// The same elements under another shape of the same size; ShapeError for another size.
  Tensor reshape(const Shape& shape) const;
  /// A view of rows [begin, end) of the outermost axis: it shares the elements. ShapeError unless they are inside.
  Tensor rows(Index begin, Index end) const;
  /// A copy of [begin, end) along any axis (negative: from the end). ShapeError unless it is inside.
  Tensor slice(int axis, Index begin, Index end) const;
  /// Every element `value`, converted as by to(); ValueError as there.
  void fill(double value);
  /// Copies the elements of a tensor of the same shape and dtype into this one; ShapeError for any other.
  void copy_from(const Tensor& source);

  /// True when no other Tensor shares the buffer, so that it may be overwritten in place.
  bool unique() const { return buffer_.use_count() == 1; }

 private:
  void check_access(DType wanted) const;
  Index offset(std::initializer_list<Index> indices) const;

  std::shared_ptr<std::byte> buffer_;
  Shape shape_;
  DType dtype_ = DType::float32;
};

template <class T>
Tensor Tensor::from(const Shape& shape, std::span<const T> values) {
  if (static_cast<Index>(values.size()) != shape.size())
    fail<ShapeError>("Tensor::from: ", values.size(), " values for shape ", shape, ", expected ", shape.size());
  Tensor result(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), result.data<T>());
  return result;
}

/// Same dtype, shape and bits. NaNs of equal bits are equal, +0 and -0 are not.
bool identical(const Tensor& a, const Tensor& b);

/// sqrt(mean of x^2) of a floating tensor, summed in double in row-major order; NaN for no elements.
double root_mean_square(const Tensor& x);

/// NumPy's layout with the middle of long axes left out: `Tensor float32 (2, 2) [[1, 2], [3, 4]]`.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace bitgrad
