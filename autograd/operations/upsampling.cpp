#include <bitgrad/autograd/operations/upsampling.hpp>

#include <bitgrad/autograd/operations/detail/elementwise.hpp>

namespace bitgrad {

Variable upsample2d(const Variable& x, UpsampleFactor factor, Interpolation interpolation) {
  detail::require_floating("upsample2d", x.value());
  const Shape& in = x.shape();
  if (in.rank() != 4) fail<ShapeError>("upsample2d: input is ", in, ", expected (N, H, W, C)");
  if (factor.h < 1 || factor.w < 1)
    fail<ValueError>("upsample2d: the factor is (", factor.h, ", ", factor.w, "), expected at least 1");
  const kernels::Upsample2DGeometry g{in[0], in[1], in[2], in[3], factor};
  const bool nearest = interpolation == Interpolation::nearest;
  return dispatch_floating("upsample2d", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Tensor y({in[0], in[1] * factor.h, in[2] * factor.w, in[3]}, x.dtype());
    const auto forward = nearest ? kernels::upsample2d_nearest<T> : kernels::upsample2d_bilinear<T>;
    forward(g, x.value().data<T>(), y.data<T>());
    const auto gradient = nearest ? kernels::upsample2d_nearest_gradient<T> : kernels::upsample2d_bilinear_gradient<T>;
    return record_operation("upsample2d", std::move(y), {x}, [g, gradient](const Tensor& dy, GradSink& sink) {
      GradTarget dx = sink.target(0);
      gradient(g, dy.data<T>(), dx.store, dx.gradient.data<T>());
    });
  });
}

}  // namespace bitgrad
