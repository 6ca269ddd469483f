#include <bitgrad/autograd/operations/convolution.hpp>

#include <algorithm>
#include <array>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/autograd/operations/shape.hpp>
#include <bitgrad/core/kernels/conv.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/permuted.hpp>

namespace bitgrad {

namespace {

/// `bias` undefined: none.
Variable convolve(const Variable& x, const Variable& kernel, const Variable& bias, const Conv2DArguments& options) {
  detail::require_same_dtype("conv2d", x.value(), kernel.value());
  const Conv2DGeometry geometry = conv2d_geometry(x.shape(), kernel.shape(), options);
  return dispatch_floating("conv2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y(output_shape(geometry), x.dtype());
    kernels::conv2d_forward(geometry, x.value().data<T>(), kernel.value().data<T>(),
                            bias.defined() ? bias.value().data<T>() : nullptr, y.data<T>());
    const bool with_bias = bias.defined();
    const std::array inputs{x, kernel, bias};
    auto backward = [geometry, with_bias, x = x.value(), kernel = kernel.value()](const Tensor& g, GradSink& sink) {
      if (sink.wants(0)) {
        GradTarget dx = sink.target(0);
        kernels::conv2d_data_gradient(geometry, g.data<T>(), kernel.data<T>(), dx.store,
                                      dx.gradient.template data<T>());
      }
      if (sink.wants(1)) kernels::conv2d_kernel_gradient(geometry, x.data<T>(), g.data<T>(), sink.buffer(1).data<T>());
      if (with_bias && sink.wants(2))
        kernels::add_column_sums(g.size() / geometry.out_c, geometry.out_c, g.data<T>(), sink.buffer(2).data<T>());
    };
    return record_operation("conv2d", std::move(y), std::span(inputs).first(with_bias ? 3 : 2), std::move(backward));
  });
}

}  // namespace

Variable conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options) {
  return convolve(x, kernel, Variable(), options);
}

Variable conv2d(const Variable& x, const Variable& kernel, const Variable& bias, const Conv2DArguments& options) {
  detail::require_same_dtype("conv2d", kernel.value(), bias.value());
  if (kernel.shape().rank() != 4 || bias.shape() != Shape{kernel.shape()[3]})
    fail<ShapeError>("conv2d: bias is ", bias.shape(), " and kernel ", kernel.shape(),
                     ", expected (O) and (kh, kw, C, O)");
  return convolve(x, kernel, bias, options);
}

Variable depthwise_conv2d(const Variable& x, const Variable& kernel, const Conv2DArguments& options) {
  if (x.shape().rank() != 4 || kernel.shape().rank() != 4 || kernel.shape()[2] != x.shape()[3])
    fail<ShapeError>("depthwise_conv2d: x is ", x.shape(), " and kernel ", kernel.shape(),
                     ", expected (N, H, W, C) and (kh, kw, C, M)");
  if (options.groups != 1)
    fail<ValueError>("depthwise_conv2d: groups is ", options.groups, ", expected 1: every channel is a group");
  const Shape& k = kernel.shape();
  Conv2DArguments grouped = options;
  grouped.groups = k[2];
  return conv2d(x, reshape(kernel, {k[0], k[1], 1, k[2] * k[3]}),
                grouped);  // the same elements: HWCM is HWIO of C groups
}

// ---- transposed ----

Conv2DGeometry conv2d_transpose_geometry(const Shape& input, const Shape& kernel, const Conv2DArguments& window) {
  if (window.groups != 1) fail<ValueError>("conv2d_transpose: groups is ", window.groups, ", expected 1");
  return conv2d_transpose_geometry(input, kernel, window.stride, window.padding, window.dilation);
}

namespace {

/// [kh, kw, a, b] as [kh, kw, b, a]: the kernel of the convolution whose gradients are taken, and back.
Tensor channels_swapped(const Tensor& kernel) { return permuted(kernel, std::array{0, 1, 3, 2}); }

/// `bias` undefined: none. The geometry is that of the convolution: its input is our result, its output our x.
Variable convolve_transposed(const Variable& x, const Variable& kernel, const Variable& bias,
                             const Conv2DArguments& options) {
  detail::require_same_dtype("conv2d_transpose", x.value(), kernel.value());
  const Conv2DGeometry geometry = conv2d_transpose_geometry(x.shape(), kernel.shape(), options);
  return dispatch_floating("conv2d_transpose", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor swapped = channels_swapped(kernel.value());
    Tensor y(input_shape(geometry), x.dtype());
    const bool with_bias = bias.defined();
    for (Index i = 0; with_bias && i < y.size(); i += geometry.in_c)
      std::copy_n(bias.value().data<T>(), geometry.in_c, y.data<T>() + i);
    kernels::conv2d_data_gradient(geometry, x.value().data<T>(), swapped.data<T>(),
                                  with_bias ? kernels::Store::add : kernels::Store::overwrite, y.data<T>());
    const std::array inputs{x, kernel, bias};
    auto backward = [geometry, with_bias, swapped, x = x.value()](const Tensor& g, GradSink& sink) {
      if (sink.wants(0)) {
        Tensor dx(output_shape(geometry), g.dtype());
        kernels::conv2d_forward(geometry, g.data<T>(), swapped.data<T>(), nullptr, dx.data<T>());
        sink.add(0, std::move(dx));
      }
      if (sink.wants(1)) {
        Tensor dkernel = Tensor::zeros(swapped.shape(), g.dtype());
        kernels::conv2d_kernel_gradient(geometry, g.data<T>(), x.data<T>(), dkernel.data<T>());
        sink.add(1, channels_swapped(dkernel));
      }
      if (with_bias && sink.wants(2))
        kernels::add_column_sums(g.size() / geometry.in_c, geometry.in_c, g.data<T>(), sink.buffer(2).data<T>());
    };
    return record_operation("conv2d_transpose", std::move(y), std::span(inputs).first(with_bias ? 3 : 2),
                            std::move(backward));
  });
}

}  // namespace

Variable conv2d_transpose(const Variable& x, const Variable& kernel, const Conv2DArguments& options) {
  return convolve_transposed(x, kernel, Variable(), options);
}

Variable conv2d_transpose(const Variable& x, const Variable& kernel, const Variable& bias,
                          const Conv2DArguments& options) {
  detail::require_same_dtype("conv2d_transpose", kernel.value(), bias.value());
  if (kernel.shape().rank() != 4 || bias.shape() != Shape{kernel.shape()[3]})
    fail<ShapeError>("conv2d_transpose: bias is ", bias.shape(), " and kernel ", kernel.shape(),
                     ", expected (O) and (kh, kw, C, O)");
  return convolve_transposed(x, kernel, bias, options);
}

}  // namespace bitgrad
