#include <bitgrad/autograd/operations/arithmetic.hpp>

#include <bitgrad/autograd/operations/detail/broadcast.hpp>

namespace bitgrad {

using detail::broadcast_map;
using detail::sum_to;

Variable add(const Variable& a, const Variable& b) {
  Tensor y = broadcast_map("add", a.value(), b.value(), [](auto p, auto q) { return p + q; });
  return record_operation("add", std::move(y), {a, b},
                          [a_shape = a.shape(), b_shape = b.shape()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0)) sink.add(0, sum_to(g, a_shape));
                            if (sink.wants(1)) sink.add(1, sum_to(g, b_shape));
                          });
}

Variable sub(const Variable& a, const Variable& b) {
  Tensor y = broadcast_map("sub", a.value(), b.value(), [](auto p, auto q) { return p - q; });
  return record_operation("sub", std::move(y), {a, b},
                          [a_shape = a.shape(), b_shape = b.shape()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0)) sink.add(0, sum_to(g, a_shape));
                            if (sink.wants(1))
                              sink.add(1, detail::map("sub", sum_to(g, b_shape), [](auto v) { return -v; }));
                          });
}

Variable mul(const Variable& a, const Variable& b) {
  const auto product = [](auto p, auto q) { return p * q; };
  Tensor y = broadcast_map("mul", a.value(), b.value(), product);
  return record_operation("mul", std::move(y), {a, b},
                          [=, a = a.value(), b = b.value()](const Tensor& g, GradSink& sink) {
                            if (sink.wants(0)) sink.add(0, sum_to(broadcast_map("mul", g, b, product), a.shape()));
                            if (sink.wants(1)) sink.add(1, sum_to(broadcast_map("mul", g, a, product), b.shape()));
                          });
}

Variable div(const Variable& a, const Variable& b) {
  const auto quotient = [](auto p, auto q) { return p / q; };
  Tensor y = broadcast_map("div", a.value(), b.value(), quotient);
  return record_operation("div", y, {a, b}, [=, a_shape = a.shape(), b = b.value()](const Tensor& g, GradSink& sink) {
    const Tensor scaled = broadcast_map("div", g, b, quotient);  // g / b; d(a/b)/db = -y / b
    if (sink.wants(1))
      sink.add(1, sum_to(detail::map("div", scaled, y, [](auto u, auto v) { return -(u * v); }), b.shape()));
    if (sink.wants(0)) sink.add(0, sum_to(scaled, a_shape));
  });
}

Variable negate(const Variable& x) {
  const auto minus = [](auto v) { return -v; };
  return record_operation("negate", detail::map("negate", x.value(), minus), {x},
                          [=](const Tensor& g, GradSink& sink) { sink.add(0, detail::map("negate", g, minus)); });
}

}  // namespace bitgrad
