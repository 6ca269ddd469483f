// Loops over elements that the operations share. Internal: users include autograd/operations.hpp.
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include <bitgrad/autograd/replay.hpp>
#include <bitgrad/autograd/tape.hpp>
#include <bitgrad/core/parallel.hpp>

namespace bitgrad::detail {

/// Elements per chunk of an elementwise loop: a few microseconds of work.
inline constexpr Index elementwise_grain = 1 << 14;

/// Throws ShapeError naming the operation unless x is a defined float32 or float64 tensor.
void require_floating(std::string_view name, const Tensor& x);
/// Throws ShapeError naming the operation unless both are defined and of one floating dtype.
void require_same_dtype(std::string_view name, const Tensor& a, const Tensor& b);

/// The result of a kernel loop(n, x, y) that takes float32 and float64.
template <class Loop>
Tensor map_by_kernel(std::string_view name, const Tensor& x, Loop loop) {
  require_floating(name, x);
  Tensor y(x.shape(), x.dtype());
  dispatch_floating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    loop(y.size(), x.data<T>(), y.data<T>());
  });
  return y;
}

/// y[i] = f(x[i]); `f` takes and returns the element type.
template <class F>
Tensor map(std::string_view name, const Tensor& x, F f) {
  return map_by_kernel(name, x, [=]<class T>(Index n, const T* from, T* __restrict to) {
    parallel_for(n, elementwise_grain, [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to[i] = f(from[i]);
    });
  });
}

/// z[i] = f(x[i], y[i]) for two tensors of one shape and dtype, which the caller guarantees.
template <class F>
Tensor map(std::string_view name, const Tensor& x, const Tensor& y, F f) {
  BITGRAD_ASSERT(x.shape() == y.shape());
  Tensor z(x.shape(), x.dtype());
  dispatch_floating(name, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* first = x.data<T>();
    const T* second = y.data<T>();
    T* __restrict to = z.data<T>();
    parallel_for(x.size(), elementwise_grain, [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) to[i] = f(first[i], second[i]);
    });
  });
  return z;
}

/// The backward pass of an elementwise operation by a kernel loop(n, saved, dy, store, dx); `saved` is what its
/// gradient is computed from, the operand or the result.
template <class Loop>
auto gradient_by_kernel(Tensor saved, Loop loop) {
  return [=, saved = std::move(saved)](const Tensor& g, GradSink& sink) {
    dispatch_floating("gradient", g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      GradTarget dx = sink.target(0);
      loop(g.size(), saved.data<T>(), g.data<T>(), dx.store, dx.gradient.template data<T>());
    });
  };
}

/// An elementwise operation made of pieces: `piece(x)` says which one (a small integer), `value(piece, x)` is the
/// result. A gradient check replays the pieces, so that its differences never straddle a kink; everybody else gets the
/// fast loops `forward(n, x, y)` and `backward(n, x, dy, store, dx)`. `name` is a literal.
template <class Piece, class Value, class Forward, class Backward>
Variable piecewise(std::string_view name, const Variable& x, Piece piece, Value value, Forward forward,
                   Backward backward) {
  require_floating(name, x.value());
  Tensor y;
  if (replay::mode() == replay::Mode::off) {
    y = map_by_kernel(name, x.value(), forward);
  } else {
    Tensor pieces = map(name, x.value(), [=](auto v) { return static_cast<decltype(v)>(piece(v)); }).to(DType::int32);
    replay::branch(pieces);
    y = map(name, x.value(), pieces.to(x.dtype()), [=](auto v, auto p) { return value(static_cast<int>(p), v); });
  }
  return record_operation(name, std::move(y), {x}, gradient_by_kernel(x.value(), backward));
}

}  // namespace bitgrad::detail
