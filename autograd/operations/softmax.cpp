// softmax and log_softmax: functions of whole rows.
#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/autograd/operations/detail/rows.hpp>

namespace bitgrad {
namespace {

void require_rows(std::string_view name, const Variable& x) {
  detail::require_floating(name, x.value());
  if (x.shape().rank() == 0 || x.shape()[-1] == 0)
    fail<ShapeError>(name, ": input is ", x.shape(), ", expected a last axis of 1 or more");
}

}  // namespace

Variable log_softmax(const Variable& x) {
  require_rows("log_softmax", x);
  const Tensor y = detail::log_softmax(x.value());
  return record_operation("log_softmax", y, {x}, [=](const Tensor& g, GradSink& sink) {
    const Tensor probability = detail::exponential(y);
    Tensor dx = g.clone();  // g - softmax * sum(g)
    detail::for_each_row(probability, dx, [](const auto* p, auto* d, Index n) {
      double total = 0;
      for (Index i = 0; i < n; ++i) total += static_cast<double>(d[i]);
      for (Index i = 0; i < n; ++i) d[i] -= p[i] * static_cast<std::decay_t<decltype(*d)>>(total);
    });
    sink.add(0, std::move(dx));
  });
}

Variable softmax(const Variable& x) {
  require_rows("softmax", x);
  const Tensor y = detail::exponential(detail::log_softmax(x.value()));
  return record_operation("softmax", y, {x}, [=](const Tensor& g, GradSink& sink) {
    Tensor dx = g.clone();  // y * (g - sum(g * y))
    detail::for_each_row(y, dx, [](const auto* p, auto* d, Index n) {
      double total = 0;
      for (Index i = 0; i < n; ++i) total += static_cast<double>(d[i]) * static_cast<double>(p[i]);
      for (Index i = 0; i < n; ++i) d[i] = p[i] * (d[i] - static_cast<std::decay_t<decltype(*d)>>(total));
    });
    sink.add(0, std::move(dx));
  });
}

}  // namespace bitgrad
