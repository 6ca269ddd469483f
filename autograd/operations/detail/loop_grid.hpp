// A learned grid as the loops want it, and its gradients back. Internal.
#pragma once

#include <array>

#include <bitgrad/autograd/operations/fake_quantize.hpp>
#include <bitgrad/core/kernels/fake_quantize.hpp>

namespace bitgrad::detail {

/// Values of a grid's parameters, kept for as long as this lives.
struct LoopGrid {
  explicit LoopGrid(const LearnedGrid& grid);
  kernels::LevelGrid<float> view() const;

  Tensor step, offset, zero_point;
  float lo, hi;
  kernels::StraightThrough mode;
};

/// Step, offset and zero point as inputs 1 to 3 of an operation; constants stand in for what is undefined.
std::array<Variable, 3> grid_inputs(const LearnedGrid& grid);
/// Adds the gradients of these inputs.
void add_grid_gradients(const LoopGrid& grid, kernels::FakeQuantizeSums sums, GradSink& sink);

}  // namespace bitgrad::detail
