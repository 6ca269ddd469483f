#include <bitgrad/autograd/operations/detail/loop_grid.hpp>

#include <vector>

namespace bitgrad::detail {
namespace {

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

}  // namespace

LoopGrid::LoopGrid(const LearnedGrid& grid)
    : step(grid.step.value()),
      offset(grid.offset.value()),
      zero_point(grid.zero_point.value()),
      lo(static_cast<float>(grid.lo)),
      hi(static_cast<float>(grid.hi)),
      mode(loop_mode(grid.gradient)) {}

kernels::LevelGrid<float> LoopGrid::view() const {
  return {.scale = step.data<float>(),
          .offset = offset.defined() ? offset.data<float>() : nullptr,
          .lo = lo,
          .hi = hi,
          .zero_point = zero_point.defined() ? zero_point.data<float>() : nullptr};
}

std::array<Variable, 3> grid_inputs(const LearnedGrid& grid) {
  const Variable absent = Variable(Tensor::scalar(0));
  const auto present = [&](const Variable& parameter) { return parameter.defined() ? parameter : absent; };
  return {present(grid.step), present(grid.offset), present(grid.zero_point)};
}

void add_grid_gradients(const LoopGrid& grid, kernels::FakeQuantizeSums sums, GradSink& sink) {
  const Shape& shape = grid.step.shape();
  if (sink.wants(1)) sink.add(1, to_gradient(sums.scale, shape));
  if (sink.wants(2)) sink.add(2, to_gradient(sums.offset, shape));
  if (!sink.wants(3)) return;
  for (std::size_t c = 0; c < sums.offset.size(); ++c)
    sums.offset[c] *= -static_cast<double>(grid.step.data<float>()[c]);
  sink.add(3, to_gradient(sums.offset, shape));
}

}  // namespace bitgrad::detail
