#include <bitgrad/autograd/accumulate.hpp>

#include <bitgrad/core/parallel.hpp>

namespace bitgrad {

void add_into(Tensor& target, const Tensor& addend) {
  if (target.shape() != addend.shape() || target.dtype() != addend.dtype())
    fail<ShapeError>("add_into: addend is ", addend.dtype(), " ", addend.shape(), ", expected ", target.dtype(), " ", target.shape());
  dispatch_floating("add_into", target.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = target.data<T>();
    const T* from = addend.data<T>();
    parallel_for(target.size(), 1 << 15, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to[i] += from[i];
    });
  });
}

}  // namespace bitgrad
