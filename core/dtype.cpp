#include <bitgrad/core/dtype.hpp>

#include <ostream>

#include <bitgrad/core/error.hpp>

namespace bitgrad {

std::size_t size_of(DType dtype) {
  return dispatch_any(dtype, [](auto zero) { return sizeof(zero); });
}

std::string_view name_of(DType dtype) {
  switch (dtype) {
    case DType::float32: return "float32";
    case DType::float64: return "float64";
    case DType::int8: return "int8";
    case DType::uint8: return "uint8";
    case DType::int32: return "int32";
  }
  return "an unknown dtype";
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name_of(dtype); }

void refuse_dtype(std::string_view what, DType dtype, std::string_view expected) {
  fail<ShapeError>(what, ": dtype is ", name_of(dtype), ", expected ", expected);
}

}  // namespace bitgrad
