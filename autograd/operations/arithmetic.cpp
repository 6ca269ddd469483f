#include <bitgrad/autograd/operations/arithmetic.hpp>

#include <bitgrad/autograd/operations/detail/broadcast.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>

namespace bitgrad {

using detail::broadcast_by_kernel;
using detail::sum_of_product_to;
using detail::sum_to;

namespace {

// How two values are joined: kernels for equal shapes and for a row, the operation itself for everything else.
struct Sum {
  static void same(auto... a) { kernels::add(a...); }
  static void row(auto... a) { kernels::add_row(a...); }
  static auto one(auto a, auto b) { return a + b; }
};
struct Difference {
  static void same(auto... a) { kernels::subtract(a...); }
  static void row(auto... a) { kernels::subtract_row(a...); }
  static auto one(auto a, auto b) { return a - b; }
};
struct Product {
  static void same(auto... a) { kernels::multiply(a...); }
  static void row(auto... a) { kernels::multiply_row(a...); }
  static auto one(auto a, auto b) { return a * b; }
};
struct Quotient {
  static void same(auto... a) { kernels::divide(a...); }
  static void row(auto... a) { kernels::divide_row(a...); }
  static auto one(auto a, auto b) { return a / b; }
};

/// For operations that do not mind the order: the longer operand first, since rows are the second one.
template <class Operation>
Tensor commutative(std::string_view name, const Tensor& a, const Tensor& b) {
  detail::require_same_dtype(name, a, b);
  broadcast_shapes(a.shape(), b.shape(), name);  // here, so that an error names them in the caller's order
  const bool swap = a.size() < b.size();
  return broadcast_by_kernel<Operation>(name, swap ? b : a, swap ? a : b);
}

Tensor negated(const Tensor& x) {
  return detail::map_by_kernel("negate", x,
                               []<class T>(Index n, const T* from, T* to) { kernels::scale(n, T{-1}, from, to); });
}

}  // namespace

Variable add(const Variable& a, const Variable& b) {
  return record_operation("add", commutative<Sum>("add", a.value(), b.value()), {a, b},
                          [a_shape = a.shape(), b_shape = b.shape()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0)) sink.add(0, sum_to(g, a_shape));
                            if (sink.wants(1)) sink.add(1, sum_to(g, b_shape));
                          });
}

Variable sub(const Variable& a, const Variable& b) {
  return record_operation("sub", broadcast_by_kernel<Difference>("sub", a.value(), b.value()), {a, b},
                          [a_shape = a.shape(), b_shape = b.shape()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0)) sink.add(0, sum_to(g, a_shape));
                            if (sink.wants(1)) sink.add(1, negated(sum_to(g, b_shape)));
                          });
}

namespace {

/// The gradient of an operand of shape `own` that was multiplied with `other`.
Tensor product_gradient(const Tensor& g, const Tensor& other, const Shape& own) {
  if (other.shape() == g.shape() && own != g.shape()) return sum_of_product_to(g, other, own);
  return sum_to(broadcast_by_kernel<Product>("mul", g, other), own);
}

}  // namespace

Variable mul(const Variable& a, const Variable& b) {
  return record_operation("mul", commutative<Product>("mul", a.value(), b.value()), {a, b},
                          [a = a.value(), b = b.value()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0)) sink.add(0, product_gradient(g, b, a.shape()));
                            if (sink.wants(1)) sink.add(1, product_gradient(g, a, b.shape()));
                          });
}

Variable div(const Variable& a, const Variable& b) {
  Tensor y = broadcast_by_kernel<Quotient>("div", a.value(), b.value());
  return record_operation("div", y, {a, b}, [=, a_shape = a.shape(), b = b.value()](const Tensor& g, GradSink& sink) {
    const Tensor scaled = broadcast_by_kernel<Quotient>("div", g, b);  // g / b; d(a/b)/db = -y / b
    if (sink.wants(1)) sink.add(1, negated(product_gradient(scaled, y, b.shape())));
    if (sink.wants(0)) sink.add(0, sum_to(scaled, a_shape));
  });
}

Variable negate(const Variable& x) {
  return record_operation("negate", negated(x.value()), {x},
                          [](const Tensor& g, GradSink& sink) { sink.add(0, negated(g)); });
}

}  // namespace bitgrad
