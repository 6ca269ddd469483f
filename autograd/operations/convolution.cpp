#include <bitgrad/autograd/operations/convolution.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/autograd/operations/shape.hpp>
#include <bitgrad/core/kernels/conv.hpp>

namespace bitgrad {

Variable conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options) {
  detail::require_same_dtype("conv2d", x.value(), kernel.value());
  const Conv2DGeometry geometry = conv2d_geometry(x.shape(), kernel.shape(), options.stride, options.padding,
                                                  options.dilation, options.groups);
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

Variable depthwise_conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options) {
  if (x.shape().rank() != 4 || kernel.shape().rank() != 4 || kernel.shape()[2] != x.shape()[3])
    fail<ShapeError>("depthwise_conv2d: x is ", x.shape(), " and kernel ", kernel.shape(), ", expected (N, H, W, C) and (kh, kw, C, M)");
  if (options.groups != 1) fail<ValueError>("depthwise_conv2d: groups is ", options.groups, ", expected 1: every channel is a group");
  const Shape& k = kernel.shape();
  Conv2DArguments grouped = options;
  grouped.groups = k[2];
  return conv2d(x, reshape(kernel, {k[0], k[1], 1, k[2] * k[3]}), grouped);  // the same elements: HWCM is HWIO of C groups
}

}  // namespace bitgrad
