#include <bitgrad/quantizers/trainable/fake_quantize.hpp>

#include <vector>

#include <bitgrad/autograd/operations.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>
#include <bitgrad/quantizers/detail/channels.hpp>

namespace bitgrad {
namespace {

/// The grid's parameters as the loops want them. Views of tensors that live as long as this does.
struct LoopGrid {
  explicit LoopGrid(const LearnedGrid& grid)
      : step(grid.step.value()),
        offset(grid.offset.value()),
        zero_point(grid.zero_point.value()),
        lo(static_cast<float>(grid.lo)),
        hi(static_cast<float>(grid.hi)) {}
  kernels::LevelGrid<float> view() const {
    return {.scale = step.data<float>(),
            .offset = offset.defined() ? offset.data<float>() : nullptr,
            .lo = lo,
            .hi = hi,
            .zero_point = zero_point.defined() ? zero_point.data<float>() : nullptr};
  }
  Tensor step, offset, zero_point;
  float lo, hi;
};

kernels::StraightThrough loop_mode(ClampGradient gradient) {
  switch (gradient) {
    case ClampGradient::everywhere: return kernels::StraightThrough::unmasked;
    case ClampGradient::level_in_bounds: return kernels::StraightThrough::masked;
    case ClampGradient::value_in_bounds: break;
  }
  return kernels::StraightThrough::value_masked;
}

Tensor to_gradient(const std::vector<double>& sums, const Shape& shape) {
  Tensor gradient(shape);
  for (std::size_t c = 0; c < sums.size(); ++c) gradient.data<float>()[c] = static_cast<float>(sums[c]);
  return gradient;
}

void check_shapes(std::string_view name, const LearnedGrid& grid) {
  for (const Variable* other : {&grid.offset, &grid.zero_point})
    if (other->defined() && other->shape() != grid.step.shape())
      fail<ShapeError>(name, ": offset or zero point of shape ", other->shape(), ", expected the step's ",
                       grid.step.shape());
}

}  // namespace

Variable fake_quantize(std::string_view name, const Variable& x, const LearnedGrid& grid) {
  check_shapes(name, grid);
  const kernels::ChannelLayout layout = channel_layout(x.shape(), grid.step.shape(), name);
  if (x.dtype() != DType::float32) return fake_quantize_definition(x, grid);

  const LoopGrid loop(grid);
  Tensor y(x.shape());
  kernels::fake_quantize(layout, x.value().data<float>(), loop.view(), y.data<float>());
  const Variable absent = Variable(Tensor::scalar(0));  // a constant stands in for what is undefined
  return record_operation(name, std::move(y),
                          {x, grid.step, grid.offset.defined() ? grid.offset : absent,
                           grid.zero_point.defined() ? grid.zero_point : absent},
                          [=, mode = grid.gradient, source = x.value()](const Tensor& dy, GradSink& sink) {
                            const bool passes_all = mode == ClampGradient::everywhere;
                            if (passes_all) sink.add(0, dy);
                            const bool fills = sink.wants(0) && !passes_all;
                            GradTarget target = fills ? sink.target(0) : GradTarget{};
                            float* dx = fills ? target.gradient.data<float>() : nullptr;
                            if (!dx && !sink.wants(1) && !sink.wants(2) && !sink.wants(3)) return;
                            auto sums = kernels::fake_quantize_gradient(layout, source.data<float>(), loop.view(),
                                                                        loop_mode(mode), dy.data<float>(), target.store, dx);
                            const Shape& shape = loop.step.shape();
                            if (sink.wants(1)) sink.add(1, to_gradient(sums.scale, shape));
                            if (sink.wants(2)) sink.add(2, to_gradient(sums.offset, shape));
                            if (!sink.wants(3)) return;
                            for (std::size_t c = 0; c < sums.offset.size(); ++c)
                              sums.offset[c] *= -static_cast<double>(loop.step.data<float>()[c]);
                            sink.add(3, to_gradient(sums.offset, shape));
                          });
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
