#include <bitgrad/autograd/accumulate.hpp>

#include <bitgrad/core/kernels/elementwise.hpp>

namespace bitgrad {

void add_into(Tensor& target, const Tensor& addend) {
  if (target.shape() != addend.shape() || target.dtype() != addend.dtype())
    fail<ShapeError>("add_into: addend is ", addend.dtype(), " ", addend.shape(), ", expected ", target.dtype(), " ",
                     target.shape());
  dispatch_floating("add_into", target.dtype(), [&](auto zero) {
    using T = decltype(zero);
    kernels::add(target.size(), target.data<T>(), addend.data<T>(), target.data<T>());
  });
}

}  // namespace bitgrad
