#include <bitgrad/autograd/operations/convolution.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/core/kernels/conv.hpp>

namespace bitgrad {

Variable conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options) {
  detail::require_same_dtype("conv2d", x.value(), kernel.value());
  const Conv2DGeometry geometry = conv2d_geometry(x.shape(), kernel.shape(), options.stride, options.padding);
  return dispatch_floating("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y(output_shape(geometry), x.dtype());
    kernels::conv2d_forward(geometry, x.value().data<T>(), kernel.value().data<T>(), y.data<T>());
    return record_operation(
        "conv2d", std::move(y), {x, kernel},
        [geometry, x = x.value(), kernel = kernel.value()](const Tensor& g, GradSink& sink) {
          if (sink.wants(0))
            kernels::conv2d_data_gradient(geometry, g.data<T>(), kernel.data<T>(), sink.buffer(0).data<T>());
          if (sink.wants(1))
            kernels::conv2d_kernel_gradient(geometry, x.data<T>(), g.data<T>(), sink.buffer(1).data<T>());
        });
  });
}

}  // namespace bitgrad
