#include <bitgrad/core/tensor.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <ostream>
#include <type_traits>

#include <bitgrad/core/memory.hpp>

namespace bitgrad {

namespace {

std::size_t bytes_needed(const Shape& shape, DType dtype) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.size(), size_of(dtype), &bytes))
    fail<ShapeError>("Tensor: ", dtype, ' ', shape, " needs more bytes than 63 bits can count");
  return static_cast<std::size_t>(bytes);
}

template <class To, class From>
To convert(From value, std::string_view what) {
  if constexpr (std::is_integral_v<To>) {
    // All values of all dtypes are exact in double.
    const double cut = std::trunc(static_cast<double>(value));
    if (!(cut >= std::numeric_limits<To>::min() && cut <= std::numeric_limits<To>::max()))
      fail<ValueError>(what, ": ", dtype_of<To>, " cannot hold ", +value);
  }
  return static_cast<To>(value);
}

}  // namespace

Tensor::Tensor(const Shape& shape, DType dtype)
    : buffer_(allocate_buffer(bytes_needed(shape, dtype))), shape_(shape), dtype_(dtype) {}

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor result(shape, dtype);
  std::memset(result.bytes(), 0, result.byte_size());
  return result;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor result(shape, dtype);
  result.fill(value);
  return result;
}

Tensor Tensor::scalar(double value, DType dtype) { return full({}, value, dtype); }

double Tensor::item() const {
  if (size() != 1) fail<ShapeError>("Tensor::item: the tensor has shape ", shape_, ", expected exactly one element");
  return dispatch_any(dtype_, [&](auto zero) { return static_cast<double>(*data<decltype(zero)>()); });
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor result(shape_, dtype_);
  std::memcpy(result.bytes(), bytes(), byte_size());
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (!defined() || dtype == dtype_) return *this;
  Tensor result(shape_, dtype);
  dispatch_any(dtype_, [&](auto from) {
    dispatch_any(dtype, [&](auto into) {
      const auto source = span<decltype(from)>();
      std::transform(source.begin(), source.end(), result.data<decltype(into)>(),
                     [](auto value) { return convert<decltype(into)>(value, "Tensor::to"); });
    });
  });
  return result;
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (!defined()) fail<ShapeError>("reshape: the tensor is undefined");
  if (shape.size() != size())
    fail<ShapeError>("reshape: ", shape_, " has ", size(), " elements, ", shape, " has ", shape.size());
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

Tensor Tensor::rows(Index begin, Index end) const {
  if (rank() == 0) fail<ShapeError>("Tensor::rows: a scalar has no rows");
  if (begin < 0 || begin > end || end > dim(0))
    fail<ShapeError>("Tensor::rows: [", begin, ", ", end, ") is not inside [0, ", dim(0), ") of shape ", shape_);
  Tensor result = *this;
  result.shape_ = shape_.with(0, end - begin);
  const std::size_t row_bytes = dim(0) == 0 ? 0 : byte_size() / static_cast<std::size_t>(dim(0));
  result.buffer_ = {buffer_, buffer_.get() + static_cast<std::size_t>(begin) * row_bytes};
  return result;
}

Tensor Tensor::slice(int axis, Index begin, Index end) const {
  axis = normalize_axis(axis, rank(), "Tensor::slice");
  const Index extent = dim(axis);
  if (begin < 0 || begin > end || end > extent)
    fail<ShapeError>("Tensor::slice: [", begin, ", ", end, ") is not inside [0, ", extent, ") of axis ", axis,
                     " of shape ", shape_);
  Tensor result(shape_.with(axis, end - begin), dtype_);
  std::size_t inner = size_of(dtype_);
  for (int i = axis + 1; i < rank(); ++i) inner *= static_cast<std::size_t>(dim(i));
  Index outer = 1;
  for (int i = 0; i < axis; ++i) outer *= dim(i);
  const std::size_t piece = static_cast<std::size_t>(end - begin) * inner;
  for (Index i = 0; i < outer; ++i)
    std::memcpy(result.bytes() + static_cast<std::size_t>(i) * piece,
                bytes() + static_cast<std::size_t>(i * extent + begin) * inner, piece);
  return result;
}

void Tensor::fill(double value) {
  dispatch_any(dtype_, [&](auto zero) {
    using T = decltype(zero);
    const auto elements = span<T>();
    std::fill(elements.begin(), elements.end(), convert<T>(value, "Tensor::fill"));
  });
}

void Tensor::copy_from(const Tensor& source) {
  if (!defined() || !source.defined())
    fail<ShapeError>("Tensor::copy_from: the ", defined() ? "source" : "target", " is undefined");
  if (source.shape_ != shape_ || source.dtype_ != dtype_)
    fail<ShapeError>("Tensor::copy_from: source is ", source.dtype_, " ", source.shape_, ", expected ", dtype_, " ",
                     shape_);
  std::memmove(bytes(), source.bytes(), byte_size());
}

void Tensor::check_access(DType wanted) const {
  if (!defined()) fail<ShapeError>("Tensor::data: the tensor is undefined");
  if (wanted != dtype_) fail<ShapeError>("Tensor::data: elements are ", dtype_, ", asked for as ", wanted);
}

Index Tensor::offset(std::initializer_list<Index> indices) const {
  if (static_cast<int>(indices.size()) != rank())
    fail<ShapeError>("Tensor::at: ", indices.size(), " indices for shape ", shape_);
  Index result = 0;
  int axis = 0;
  for (const Index index : indices) {
    const Index extent = dim(axis);
    if (index < -extent || index >= extent)
      fail<ShapeError>("Tensor::at: index ", index, " is out of range for axis ", axis, " of shape ", shape_);
    result = result * extent + (index < 0 ? index + extent : index);
    ++axis;
  }
  return result;
}

bool identical(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined() || a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  return !a.defined() || std::memcmp(a.bytes(), b.bytes(), a.byte_size()) == 0;
}

double root_mean_square(const Tensor& x) {
  double sum = 0;
  dispatch_floating("root_mean_square", x.dtype(), [&](auto zero) {
    for (const auto value : x.span<decltype(zero)>()) sum += static_cast<double>(value) * static_cast<double>(value);
  });
  return std::sqrt(sum / static_cast<double>(x.size()));
}

namespace {

constexpr Index full_axis = 8;  // longer axes are shown by their first and last edge_items elements
constexpr Index edge_items = 3;

template <class T>
void print_axis(std::ostream& out, const Tensor& tensor, const T* data, int axis) {
  if (axis == tensor.rank()) {
    out << +*data;
    return;
  }
  Index stride = 1;
  for (int i = axis + 1; i < tensor.rank(); ++i) stride *= tensor.dim(i);
  const Index extent = tensor.dim(axis);
  out << '[';
  for (Index i = 0; i < extent; ++i) {
    if (i > 0) out << ", ";
    if (extent > full_axis && i == edge_items) {
      out << "..., ";
      i = extent - edge_items;
    }
    print_axis(out, tensor, data + i * stride, axis + 1);
  }
  out << ']';
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "Tensor undefined";
  out << "Tensor " << tensor.dtype() << ' ' << tensor.shape() << ' ';
  dispatch_any(tensor.dtype(), [&](auto zero) { print_axis(out, tensor, tensor.data<decltype(zero)>(), 0); });
  return out;
}

std::string to_string(const Tensor& tensor) { return message(tensor); }

}  // namespace bitgrad
