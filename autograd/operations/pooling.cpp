#include <bitgrad/autograd/operations/pooling.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>
#include <bitgrad/core/kernels/pool.hpp>

namespace bitgrad {
namespace {

Pool2DGeometry geometry_of(const char* name, const Variable& x, const Pool2DArguments& options) {
  detail::require_floating(name, x.value());
  const Stride beside{options.window.h, options.window.w};
  return pool2d_geometry(x.shape(), options.window, options.stride.value_or(beside), options.padding, name);
}

/// y = the pixels named by argmax, as a replayed pass needs them.
template <class T>
void gather(const Pool2DGeometry& g, const T* x, const std::int32_t* argmax, T* y) {
  const Index size = g.batch * g.out_h * g.out_w * g.channels;
  for (Index i = 0; i < size; ++i) {
    const Index c = i % g.channels, out = i / g.channels;
    const Index ih = out / g.out_w % g.out_h * g.stride_h - g.pad_top + argmax[i] / g.k_w;
    const Index iw = out % g.out_w * g.stride_w - g.pad_left + argmax[i] % g.k_w;
    y[i] = x[((out / g.out_w / g.out_h * g.in_h + ih) * g.in_w + iw) * g.channels + c];
  }
}

}  // namespace

Variable max_pool2d(const Variable& x, const Pool2DArguments& options) {
  const Pool2DGeometry geometry = geometry_of("max_pool2d", x, options);
  return dispatch_floating("max_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y(output_shape(geometry), x.dtype());
    Tensor argmax(y.shape(), DType::int32);
    kernels::max_pool2d_forward(geometry, x.value().data<T>(), y.data<T>(), argmax.data<std::int32_t>());
    replay::branch(argmax);
    if (replay::mode() == replay::Mode::replay)
      gather(geometry, x.value().data<T>(), argmax.data<std::int32_t>(), y.data<T>());
    return record_operation("max_pool2d", std::move(y), {x}, [=](const Tensor& g, GradSink& sink) {
      GradTarget dx = sink.target(0);
      kernels::max_pool2d_gradient(geometry, argmax.data<std::int32_t>(), g.data<T>(), dx.store, dx.gradient.data<T>());
    });
  });
}

Variable average_pool2d(const Variable& x, const Pool2DArguments& options) {
  const Pool2DGeometry geometry = geometry_of("average_pool2d", x, options);
  return dispatch_floating("average_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y(output_shape(geometry), x.dtype());
    kernels::average_pool2d_forward(geometry, x.value().data<T>(), y.data<T>());
    return record_operation("average_pool2d", std::move(y), {x}, [=](const Tensor& g, GradSink& sink) {
      GradTarget dx = sink.target(0);
      kernels::average_pool2d_gradient(geometry, g.data<T>(), dx.store, dx.gradient.data<T>());
    });
  });
}

Variable global_average_pool2d(const Variable& x) {
  detail::require_floating("global_average_pool2d", x.value());
  if (x.shape().rank() != 4) fail<ShapeError>("global_average_pool2d: input is ", x.shape(), ", expected (N, H, W, C)");
  const Pool2DGeometry geometry = geometry_of("global_average_pool2d", x, {.window = {x.shape()[1], x.shape()[2]}});
  return dispatch_floating("global_average_pool2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y({geometry.batch, geometry.channels}, x.dtype());
    kernels::average_pool2d_forward(geometry, x.value().data<T>(), y.data<T>());
    return record_operation("global_average_pool2d", std::move(y), {x}, [=](const Tensor& g, GradSink& sink) {
      GradTarget dx = sink.target(0);
      kernels::average_pool2d_gradient(geometry, g.data<T>(), dx.store, dx.gradient.data<T>());
    });
  });
}

}  // namespace bitgrad
