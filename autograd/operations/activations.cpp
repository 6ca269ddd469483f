#include <bitgrad/autograd/operations/activations.hpp>

#include <cmath>

#include <bitgrad/autograd/operations/detail/broadcast.hpp>
#include <bitgrad/autograd/operations/detail/rows.hpp>
#include <bitgrad/core/kernels/activations.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>
#include <bitgrad/core/random.hpp>

namespace bitgrad {

using detail::map;
using detail::map_by_kernel;
using detail::piecewise;

namespace {

/// Pieces of a clip: 0 below, 1 inside (and NaN), 2 above.
template <class T>
T limited(int piece, T x, T lo, T hi) {
  if (piece == 1) return x;
  return piece == 0 ? lo : hi;
}

/// What operand `mine` (0 or 1) of maximum has of a value, where `piece` is the larger operand, or 2 for a tie.
template <class T>
T share_of(int mine, T piece, T value) {
  if (piece == 2) return value / 2;
  return piece == static_cast<T>(mine) ? value : T{0};
}

/// Which piece of hard_sigmoid and hard_swish x is on.
template <class T>
int hard_piece(T x) {
  if (x <= -3) return 0;
  return x >= 3 ? 2 : 1;
}

}  // namespace

Variable relu(const Variable& x) {
  return piecewise(
      "relu", x, [](auto v) { return v <= 0 ? 0 : 1; },  // NaN is not <= 0: it stays
      [](int piece, auto v) { return piece == 0 ? decltype(v){0} : v; }, [](auto... a) { kernels::relu(a...); },
      [](auto... a) { kernels::relu_gradient(a...); });
}

Variable relu6(const Variable& x) {
  const auto piece = [](auto v) {
    if (v <= 0) return 0;
    return v >= 6 ? 2 : 1;
  };
  return piecewise(
      "relu6", x, piece, []<class T>(int which, T v) { return limited(which, v, T{0}, T{6}); },
      []<class T>(Index n, const T* v, T* y) { kernels::clip(n, T{0}, T{6}, v, y); },
      [](auto... a) { kernels::relu6_gradient(a...); });
}

Variable clip(const Variable& x, double lo, double hi) {
  if (!(lo <= hi)) fail<ValueError>("clip: the range is [", lo, ", ", hi, "], expected lo <= hi");
  const auto piece = [=]<class T>(T v) {
    if (v < static_cast<T>(lo)) return 0;
    return v > static_cast<T>(hi) ? 2 : 1;
  };
  return piecewise(
      "clip", x, piece,
      [=]<class T>(int which, T v) { return limited(which, v, static_cast<T>(lo), static_cast<T>(hi)); },
      [=]<class T>(Index n, const T* v, T* y) { kernels::clip(n, static_cast<T>(lo), static_cast<T>(hi), v, y); },
      [=]<class T>(Index n, const T* v, const T* g, kernels::Store store, T* dx) {
        kernels::clip_gradient(n, static_cast<T>(lo), static_cast<T>(hi), v, g, store, dx);
      });
}

Variable abs(const Variable& x) {
  const auto piece = [](auto v) {  // the sign plus one
    if (v == 0) return 1;
    return v < 0 ? 0 : 2;
  };
  return piecewise(
      "abs", x, piece, []<class T>(int which, T v) { return static_cast<T>(which - 1) * v; },
      [](auto... a) { kernels::absolute(a...); }, [](auto... a) { kernels::absolute_gradient(a...); });
}

Variable sigmoid(const Variable& x) {
  Tensor y = map_by_kernel("sigmoid", x.value(), [](auto... a) { kernels::sigmoid(a...); });
  return record_operation("sigmoid", y, {x},
                          detail::gradient_by_kernel(y, [](auto... a) { kernels::sigmoid_gradient(a...); }));
}

Variable tanh(const Variable& x) {
  Tensor y = map_by_kernel("tanh", x.value(), [](auto... a) { kernels::hyperbolic_tangent(a...); });
  return record_operation("tanh", y, {x},
                          detail::gradient_by_kernel(y, [](auto... a) { kernels::hyperbolic_tangent_gradient(a...); }));
}

Variable gelu(const Variable& x) {
  Tensor y = map_by_kernel("gelu", x.value(), [](auto... a) { kernels::gelu(a...); });
  return record_operation("gelu", std::move(y), {x},
                          detail::gradient_by_kernel(x.value(), [](auto... a) { kernels::gelu_gradient(a...); }));
}

Variable hard_sigmoid(const Variable& x) {
  return piecewise(
      "hard_sigmoid", x, [](auto v) { return hard_piece(v); },
      []<class T>(int piece, T v) { return limited(piece, v + T{3}, T{0}, T{6}) / T{6}; },
      [](auto... a) { kernels::hard_sigmoid(a...); }, [](auto... a) { kernels::hard_sigmoid_gradient(a...); });
}

Variable hard_swish(const Variable& x) {
  return piecewise(
      "hard_swish", x, [](auto v) { return hard_piece(v); },
      []<class T>(int piece, T v) { return piece == 0 ? T{0} : v * (limited(piece, v + T{3}, T{0}, T{6}) / T{6}); },
      [](auto... a) { kernels::hard_swish(a...); }, [](auto... a) { kernels::hard_swish_gradient(a...); });
}

Variable leaky_relu(const Variable& x, double slope) {
  if (!std::isfinite(slope)) fail<ValueError>("leaky_relu: the slope is ", slope, ", expected a finite number");
  return piecewise(
      "leaky_relu", x, [](auto v) { return v > 0 ? 1 : 0; },
      [=]<class T>(int piece, T v) { return piece == 1 ? v : static_cast<T>(slope) * v; },
      [=]<class T>(Index n, const T* v, T* y) { kernels::leaky_relu(n, static_cast<T>(slope), v, y); },
      [=]<class T>(Index n, const T* v, const T* g, kernels::Store store, T* dx) {
        kernels::leaky_relu_gradient(n, static_cast<T>(slope), v, g, store, dx);
      });
}

Variable exp(const Variable& x) {
  Tensor y = detail::exponential(x.value());
  return record_operation("exp", y, {x},
                          detail::gradient_by_kernel(y, [](auto... a) { kernels::exponential_gradient(a...); }));
}

Variable log(const Variable& x) {
  Tensor y = map_by_kernel("log", x.value(), [](auto... a) { kernels::logarithm(a...); });
  return record_operation("log", std::move(y), {x},
                          detail::gradient_by_kernel(x.value(), [](auto... a) { kernels::logarithm_gradient(a...); }));
}

Variable sqrt(const Variable& x) {
  Tensor y = map_by_kernel("sqrt", x.value(), [](auto... a) { kernels::square_root(a...); });
  return record_operation("sqrt", y, {x},
                          detail::gradient_by_kernel(y, [](auto... a) { kernels::square_root_gradient(a...); }));
}

Variable maximum(const Variable& a, const Variable& b) {
  // A tie is the mean of both, which is either, or NaN when one of them is.
  Tensor pieces = detail::broadcast_map("maximum", a.value(), b.value(), []<class T>(T p, T q) {
    if (p > q) return T{0};
    return q > p ? T{1} : T{2};
  });
  if (replay::mode() != replay::Mode::off) {
    Tensor branches = pieces.to(DType::int32);
    replay::branch(branches);
    pieces = branches.to(pieces.dtype());
  }
  const auto part = [&](const Tensor& x, int mine) {
    return detail::broadcast_map("maximum", x, pieces, [=](auto v, auto piece) { return share_of(mine, piece, v); });
  };
  Tensor y = map("maximum", part(a.value(), 0), part(b.value(), 1), [](auto p, auto q) { return p + q; });
  auto backward = [=, a = a.shape(), b = b.shape()](const Tensor& g, GradSink& sink) {
    const auto share = [&](int mine) {
      return map("maximum", g, pieces, [=](auto u, auto piece) { return share_of(mine, piece, u); });
    };
    if (sink.wants(0)) sink.add(0, detail::sum_to(share(0), a));
    if (sink.wants(1)) sink.add(1, detail::sum_to(share(1), b));
  };
  return record_operation("maximum", std::move(y), {a, b}, std::move(backward));
}

Variable pow(const Variable& x, double exponent) {
  if (!std::isfinite(exponent)) fail<ValueError>("pow: the exponent is ", exponent, ", expected a finite number");
  Tensor y = map_by_kernel("pow", x.value(),
                           [=]<class T>(Index n, const T* v, T* out) { kernels::power(n, exponent, v, out); });
  return record_operation(
      "pow", std::move(y), {x},
      detail::gradient_by_kernel(x.value(), [=]<class T>(Index n, const T* v, const T* g, kernels::Store store, T* dx) {
        kernels::power_gradient(n, exponent, v, g, store, dx);
      }));
}

Variable where(const Tensor& condition, const Variable& a, const Variable& b) {
  detail::require_same_dtype("where", a.value(), b.value());
  if (!condition.defined()) fail<ShapeError>("where: the condition is undefined");
  Tensor mask = map("where", condition.to(DType::float64), []<class T>(T c) { return c != 0 ? T{1} : T{0}; });
  if (replay::mode() != replay::Mode::off) {
    Tensor branches = mask.to(DType::int32);
    replay::branch(branches);
    mask = branches;
  }
  const Shape shape = broadcast_shapes(broadcast_shapes(mask.shape(), a.shape(), "where"), b.shape(), "where");
  mask = detail::broadcast_to(mask.to(a.dtype()), shape);
  Tensor y(shape, a.dtype());
  dispatch_floating("where", a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor left = detail::broadcast_to(a.value(), shape), right = detail::broadcast_to(b.value(), shape);
    kernels::choose(y.size(), mask.data<T>(), left.data<T>(), right.data<T>(), y.data<T>());
  });
  auto backward = [=, a = a.shape(), b = b.shape()](const Tensor& g, GradSink& sink) {
    const auto share = [&](auto loop) {
      return map_by_kernel("where", g, [&]<class T>(Index n, const T* dy, T* part) {
        loop(n, mask.data<T>(), dy, kernels::Store::overwrite, part);
      });
    };
    if (sink.wants(0)) sink.add(0, detail::sum_to(share([](auto... v) { kernels::chosen_gradient(v...); }), a));
    if (sink.wants(1)) sink.add(1, detail::sum_to(share([](auto... v) { kernels::rejected_gradient(v...); }), b));
  };
  return record_operation("where", std::move(y), {a, b}, std::move(backward));
}

Variable dropout(const Variable& x, double rate, std::uint64_t seed, std::uint64_t stream) {
  if (!(rate >= 0 && rate < 1)) fail<ValueError>("dropout: rate is ", rate, ", expected 0 <= rate < 1");
  detail::require_floating("dropout", x.value());
  Tensor factor(x.shape(), x.dtype());  // 0 or 1 / (1 - rate)
  dispatch_floating("dropout", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = factor.data<T>();
    parallel_for(x.value().size(), detail::elementwise_grain, [&](Index begin, Index end) {
      std::vector<float> uniform(static_cast<std::size_t>(end - begin));
      Random::uniforms_at(seed, stream, static_cast<std::uint64_t>(begin), uniform);
      for (Index i = begin; i < end; ++i)
        to[i] = static_cast<double>(uniform[static_cast<std::size_t>(i - begin)]) < rate
                    ? T{0}
                    : static_cast<T>(1 / (1 - rate));
    });
  });
  const auto product = [](auto v, auto f) { return v * f; };
  return record_operation("dropout", map("dropout", x.value(), factor, product), {x},
                          [=](const Tensor& g, GradSink& sink) { sink.add(0, map("dropout", g, factor, product)); });
}

}  // namespace bitgrad
