#include <bitgrad/autograd/operations/fake_quantize.hpp>

#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/autograd/operations/arithmetic.hpp>
#include <bitgrad/autograd/operations/detail/epilogue.hpp>
#include <bitgrad/autograd/operations/detail/loop_grid.hpp>
#include <bitgrad/autograd/ste.hpp>

namespace bitgrad {
namespace {

void check_shapes(std::string_view name, const LearnedGrid& grid) {
  for (const Variable* other : {&grid.offset, &grid.zero_point})
    if (other->defined() && other->shape() != grid.step.shape())
      fail<ShapeError>(name, ": offset or zero point of shape ", other->shape(), ", expected the step's ",
                       grid.step.shape());
}

}  // namespace

Variable fake_quantize(std::string_view name, const Variable& x, const LearnedGrid& grid) {
  check_shapes(name, grid);
  const kernels::ChannelLayout layout = kernels::per_channel(x.shape(), grid.step.shape(), name);
  if (x.dtype() != DType::float32) return fake_quantize_definition(x, grid);

  const detail::LoopGrid loop(grid);
  Tensor y(x.shape());
  kernels::fake_quantize(layout, x.value().data<float>(), loop.view(), y.data<float>());
  const auto [step, offset, zero_point] = detail::grid_inputs(grid);
  return record_operation(
      name, std::move(y), {x, step, offset, zero_point}, [=, source = x.value()](const Tensor& dy, GradSink& sink) {
        const bool passes_all = loop.mode == kernels::StraightThrough::unmasked;
        if (passes_all) sink.add(0, dy);
        const bool fills = sink.wants(0) && !passes_all;
        GradTarget target = fills ? sink.target(0) : GradTarget{};
        float* dx = fills ? target.gradient.data<float>() : nullptr;
        if (!dx && !sink.wants(1) && !sink.wants(2) && !sink.wants(3)) return;
        const auto sums = kernels::fake_quantize_gradient(layout, source.data<float>(), loop.view(), loop.mode,
                                                          dy.data<float>(), target.store, dx);
        detail::add_grid_gradients(loop, sums, sink);
      });
}

Variable fake_quantize(std::string_view name, const Pending& x, const LearnedGrid& grid) {
  const bool together = !x.nothing_to_do() && x.dtype() == DType::float32 && grid.step.value().size() == 1;
  if (!together) return fake_quantize(name, x.value(), grid);
  check_shapes(name, grid);
  return detail::epilogue(message(x.name(), "+", name), x, &grid);
}

Variable fake_quantize_definition(const Variable& x, const LearnedGrid& grid) {
  const Variable u = (grid.offset.defined() ? x - grid.offset : x) / grid.step;
  Variable level;
  if (grid.gradient == ClampGradient::everywhere) level = ste_clip(ste_round(u), grid.lo, grid.hi);
  if (grid.gradient == ClampGradient::level_in_bounds) level = clip(ste_round(u), grid.lo, grid.hi);
  if (grid.gradient == ClampGradient::value_in_bounds && !grid.zero_point.defined())
    level = ste_round(clip(u, grid.lo, grid.hi));
  if (grid.zero_point.defined()) {
    const Variable raised = maximum(u, grid.lo - grid.zero_point);
    level = ste_round(-maximum(-raised, grid.zero_point - grid.hi));
  }
  const Variable y = grid.step * level;
  return grid.offset.defined() ? y + grid.offset : y;
}

}  // namespace bitgrad
