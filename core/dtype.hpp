// Element types of a Tensor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace bitgrad {

/// float32 for work, float64 for gradient checks, integers for codes and labels.
enum class DType : std::uint8_t { float32, float64, int8, uint8, int32 };

/// Bytes of one element.
std::size_t size_of(DType dtype);

/// "float32", "float64", "int8", "uint8" or "int32".
std::string_view name_of(DType dtype);

std::ostream& operator<<(std::ostream& out, DType dtype);

namespace detail {
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::float32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::float64;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::int8;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::uint8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::int32;
};
}  // namespace detail

/// The DType of a C++ element type; any other type does not compile.
template <class T>
inline constexpr DType dtype_of = detail::DTypeOf<T>::value;

/// Throws ShapeError: `what`, the dtype found and the dtypes that were expected.
[[noreturn]] void refuse_dtype(std::string_view what, DType dtype, std::string_view expected);

/// Calls `f(T{})` with the C++ type of a floating dtype: `dispatch_floating("relu", x.dtype(), [&](auto zero) {...})`.
/// Any other dtype throws ShapeError naming `what`.
template <class F>
decltype(auto) dispatch_floating(std::string_view what, DType dtype, F&& f) {
  if (dtype == DType::float32) return f(float{});
  if (dtype == DType::float64) return f(double{});
  refuse_dtype(what, dtype, "float32 or float64");
}

/// Calls `f(T{})` with the C++ type of any dtype.
template <class F>
decltype(auto) dispatch_any(DType dtype, F&& f) {
  switch (dtype) {
    case DType::float32: return f(float{});
    case DType::float64: return f(double{});
    case DType::int8: return f(std::int8_t{});
    case DType::uint8: return f(std::uint8_t{});
    case DType::int32: return f(std::int32_t{});
  }
  refuse_dtype("dispatch_any", dtype, "a known dtype");
}

}  // namespace bitgrad
