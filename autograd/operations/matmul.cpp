#include <bitgrad/autograd/operations/matmul.hpp>

#include <bitgrad/autograd/operations/arithmetic.hpp>
#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/core/gemm.hpp>

namespace bitgrad {
namespace {

/// c = op(a) * op(b) + beta * c, of which op(a) is [m, k] and op(b) is [k, n].
void product(Transpose a_op, Transpose b_op, Index k, const Tensor& a, const Tensor& b, double beta, Tensor& c) {
  const Index m = c.dim(0), n = c.dim(1);
  dispatch_floating("matmul", c.dtype(), [&](auto zero) {
    using T = decltype(zero);
    parallel_gemm(a_op, b_op, m, n, k, T{1}, a.data<T>(), a.dim(1), b.data<T>(), b.dim(1), static_cast<T>(beta),
                  c.data<T>(), n);
  });
}

}  // namespace

Variable matmul(const Variable& a, const Variable& b) {
  detail::require_same_dtype("matmul", a.value(), b.value());
  if (a.shape().rank() != 2 || b.shape().rank() != 2 || a.shape()[1] != b.shape()[0])
    fail<ShapeError>("matmul: shapes are ", a.shape(), " and ", b.shape(), ", expected (m, k) and (k, n)");
  const Index m = a.shape()[0], k = a.shape()[1], n = b.shape()[1];
  Tensor y({m, n}, a.dtype());
  product(Transpose::no, Transpose::no, k, a.value(), b.value(), 0, y);
  return record_operation("matmul", std::move(y), {a, b},
                          [=, a = a.value(), b = b.value()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0))
                              product(Transpose::no, Transpose::yes, n, g, b, 1, sink.buffer(0));  // da += g * b^T
                            if (sink.wants(1))
                              product(Transpose::yes, Transpose::no, m, a, g, 1, sink.buffer(1));  // db += a^T * g
                          });
}

Variable dense(const Variable& x, const Variable& kernel, const Variable& bias) {
  Variable y = matmul(x, kernel);
  if (!bias.defined()) return y;
  if (bias.shape() != Shape{kernel.shape()[1]})
    fail<ShapeError>("dense: bias is ", bias.shape(), ", expected ", Shape{kernel.shape()[1]}, " for kernel ",
                     kernel.shape());
  return add(y, bias);
}

}  // namespace bitgrad
