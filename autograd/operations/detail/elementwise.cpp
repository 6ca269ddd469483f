#include <bitgrad/autograd/operations/detail/elementwise.hpp>

namespace bitgrad::detail {

void require_floating(std::string_view name, const Tensor& x) {
  if (!x.defined()) fail<ShapeError>(name, ": an operand is undefined");
  if (x.dtype() != DType::float32 && x.dtype() != DType::float64)
    fail<ShapeError>(name, ": the operand is ", x.dtype(), " ", x.shape(), ", expected float32 or float64");
}

void require_same_dtype(std::string_view name, const Tensor& a, const Tensor& b) {
  require_floating(name, a);
  require_floating(name, b);
  if (a.dtype() != b.dtype())
    fail<ShapeError>(name, ": operands are ", a.dtype(), " ", a.shape(), " and ", b.dtype(), " ", b.shape(),
                     ", expected one dtype");
}

}  // namespace bitgrad::detail
