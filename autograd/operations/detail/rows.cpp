#include <bitgrad/autograd/operations/detail/rows.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/kernels/softmax.hpp>

namespace bitgrad::detail {

Tensor log_softmax(const Tensor& x) {
  Tensor y(x.shape(), x.dtype());
  if (x.size() == 0) return y;
  dispatch_floating("log_softmax", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::log_softmax(x.size() / x.dim(-1), x.dim(-1), x.data<T>(), y.data<T>());
  });
  return y;
}

Tensor exponential(const Tensor& x) {
  return map_by_kernel("exp", x, [](Index n, const auto* from, auto* to) { kernels::exponential(n, from, to); });
}

}  // namespace bitgrad::detail
