// The gradient check on a learned quantizer: LSQ (Esser et al., 2020) with 2 bits, where nearly every element rounds to
// or beyond a bound.
#include <autograd/support.hpp>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/autograd/replay.hpp>

using namespace bitgrad;
using namespace bitgrad::testing;

namespace {

constexpr double lo = -2, hi = 1;
constexpr double factor = 0.3;  // gradient scale

/// Composed from operations: all of the replaying is theirs.
Variable composed(const std::vector<Variable>& v) {
  const Variable step = grad_scale(v[1], factor);
  return clip(ste_round(v[0] / step), lo, hi) * step;
}

std::vector<Tensor> inputs() { return {uniform({40}, 1, -2, 2), Tensor::full({1}, 0.55, DType::float64)}; }

/// Hand-written as a custom operation, with a backward pass that can be wrong in ways that real ones are.
struct HandWritten {
  double gradient_scale = factor;
  bool saturated_elements_move_the_step = true;
  bool mask_swapped = false;
  bool mask_on_unrounded = false;

  Variable operator()(const std::vector<Variable>& v) const {
    return custom_op("lsq", v, forward, [*this](const CustomOpContext& context) { return backward(context); });
  }

  /// Tells the gradient check about each rounding and branch; otherwise plain loops.
  static Tensor forward(const std::vector<Tensor>& v) {
    Tensor step = v[1].clone();
    replay::residual(v[1], step, factor);  // the surrogate's slope
    const double s = step.item();
    Tensor ratio(v[0].shape(), DType::float64), rounded(v[0].shape(), DType::float64),
        branches(v[0].shape(), DType::int32);
    for (std::size_t i = 0; i < v[0].span<double>().size(); ++i) {
      ratio.span<double>()[i] = v[0].span<double>()[i] / s;
      rounded.span<double>()[i] = std::nearbyint(ratio.span<double>()[i]);
    }
    replay::residual(ratio, rounded);
    for (std::size_t i = 0; i < rounded.span<double>().size(); ++i)
      branches.span<std::int32_t>()[i] = rounded.span<double>()[i] < lo ? -1 : rounded.span<double>()[i] > hi ? 1 : 0;
    replay::branch(branches);
    Tensor y(v[0].shape(), DType::float64);
    for (std::size_t i = 0; i < y.span<double>().size(); ++i) {
      const std::int32_t branch = branches.span<std::int32_t>()[i];
      y.span<double>()[i] = (branch < 0 ? lo : branch > 0 ? hi : rounded.span<double>()[i]) * s;
    }
    return y;
  }

  std::vector<Tensor> backward(const CustomOpContext& context) const {
    const double s = context.inputs[1].item();
    Tensor dx(context.output.shape(), DType::float64);
    double ds = 0;
    for (std::size_t i = 0; i < dx.span<double>().size(); ++i) {
      const double g = context.output_gradient.span<double>()[i];
      const double u = context.inputs[0].span<double>()[i] / s, r = std::nearbyint(u);
      const double level = std::min(std::max(r, lo), hi), decides = mask_on_unrounded ? u : r;
      const bool inside = (decides >= lo && decides <= hi) != mask_swapped;
      dx.span<double>()[i] = inside ? g : 0;
      if (inside || saturated_elements_move_the_step) ds += g * (level - (inside ? u : 0));
    }
    return {dx, Tensor::full({1}, gradient_scale * ds, DType::float64)};
  }
};

bool passes(const DifferentiableFunction& f) { return check_gradients(f, inputs()).passed; }

}  // namespace

TEST_CASE("2-bit LSQ composed from operations passes the straight-through check") {
  check_gradient(composed, inputs());
  check_gradient(composed, {uniform({3, 5}, 8, -4, 4), Tensor::full({1}, 0.8, DType::float64)});
  // One step per channel.
  check_gradient(composed, {uniform({7, 4}, 9, -2, 2), uniform({4}, 2, 0.3, 0.9)});
}

TEST_CASE("2-bit LSQ written by hand passes and agrees with the composed one") {
  check_gradient(HandWritten{}, inputs());
  const Pass a = run_pass(composed, inputs()), b = run_pass(HandWritten{}, inputs());
  CHECK(distance(a.value, b.value) < 1e-12);
  CHECK(distance(a.gradients[0], b.gradients[0]) < 1e-12);
  CHECK(distance(a.gradients[1], b.gradients[1]) < 1e-12);
}

TEST_CASE("mistakes in a quantizer's gradient are caught") {
  CHECK(passes(HandWritten{}));
  CHECK_FALSE(passes(HandWritten{.gradient_scale = 1}));
  CHECK_FALSE(passes(HandWritten{.gradient_scale = factor * 1.0001}));
  CHECK_FALSE(passes(HandWritten{.saturated_elements_move_the_step = false}));
  CHECK_FALSE(passes(HandWritten{.mask_swapped = true}));
  CHECK_FALSE(passes(HandWritten{.mask_on_unrounded = true}));
}

TEST_CASE("replaying roundings alone would get 2-bit LSQ wrong") {
  // The same quantizer with a clip that does not replay its branches: elements that round exactly to a bound straddle
  // it.
  const auto plain_clip = [](const Variable& x) {
    return custom_op(
        "plain_clip", {x},
        [](const std::vector<Tensor>& v) {
          Tensor y = v[0].clone();
          for (double& e : y.span<double>()) e = std::min(std::max(e, lo), hi);
          return y;
        },
        [](const CustomOpContext& context) {
          Tensor dx = context.output_gradient.clone();
          for (std::size_t i = 0; i < dx.span<double>().size(); ++i) {
            const double r = context.inputs[0].span<double>()[i];
            if (r < lo || r > hi) dx.span<double>()[i] = 0;
          }
          return std::vector<Tensor>{dx};
        });
  };
  const auto without_branches = [&](const std::vector<Variable>& v) {
    return plain_clip(ste_round(v[0] / v[1])) * v[1];
  };
  int wrong = 0, straddling = 0;
  const Tensor x = inputs()[0], step = inputs()[1];
  for (Index i = 0; i < x.size(); ++i) {
    const double r = std::nearbyint(x.data<double>()[i] / step.item());
    straddling += r == lo || r == hi;
    wrong += !check_gradients(without_branches, {x.rows(i, i + 1), step}).passed;
  }
  CHECK(wrong == straddling);
  CHECK(wrong > x.size() / 4);
  // And a gradient scale that is not replayed measures the slope of the real forward pass, 1.
  const auto unscaled = [&](const Variable& s) {
    return custom_op(
        "plain_scale", {s}, [](const std::vector<Tensor>& v) { return v[0].clone(); },
        [](const CustomOpContext& c) { return std::vector<Tensor>{(Variable(c.output_gradient) * factor).value()}; });
  };
  CHECK_FALSE(passes([&](const std::vector<Variable>& v) {
    const Variable s = unscaled(v[1]);
    return clip(ste_round(v[0] / s), lo, hi) * s;
  }));
}
