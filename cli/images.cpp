#include <bitgrad/cli/images.hpp>

#include <algorithm>
#include <cmath>

#include <bitgrad/core/data/dataset.hpp>
#include <bitgrad/core/io/npy.hpp>

namespace bitgrad::cli {

namespace {

struct Range {
  float low, high;
};

/// What the graph is made for: [0, 1], as images are in training, and what the grid of its input holds.
Range input_range(const InferenceGraph& graph) {
  Range range{0, 1};
  for (const GraphNode& node : graph.nodes) {
    if (!std::holds_alternative<QuantizeOp>(node.operation) || node.inputs.front() != graph.input) continue;
    const Grid& grid = *graph.tensors[static_cast<std::size_t>(node.output)].grid;
    const auto value = [&](std::int32_t code) { return static_cast<float>(code - grid.zero_point[0]) * grid.scale[0]; };
    range = {std::min(range.low, value(grid.lo)), std::max(range.high, value(grid.hi))};
  }
  return range;
}

/// A grid clamps without a word, and is meant to: single values may lie a little outside.
void require_range(const Tensor& images, Range taken, const std::string& path) {
  const auto [low, high] = std::ranges::minmax(images.span<float>());
  const float margin = (taken.high - taken.low) / 2;
  if (low >= taken.low - margin && high <= taken.high + margin) return;
  fail<ValueError>(path, ": values from ", low, " to ", high, ", the graph takes ", taken.low, " to ", taken.high,
                   "; pixels of 0 to 255 go in as uint8, or divided by 255");
}

}  // namespace

Tensor read_images(const std::string& path, const InferenceGraph& graph) {
  const Shape& sample = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
  Tensor images = io::read_npy(path);
  const Shape found = images.shape();
  if (sample.rank() == 3 && sample[-1] == 1 && found.rank() == 3)
    images = images.reshape({found[0], found[1], found[2], 1});
  if (images.rank() != sample.rank() + 1 || images.shape().without_front() != sample)
    fail<ShapeError>(path, ": shape ", found, ", the graph takes images of ", sample);
  if (found[0] == 0) fail<ShapeError>(path, ": holds no images");
  if (images.dtype() == DType::uint8) return data::to_unit_range(images);
  if (images.dtype() != DType::float32)
    fail<ShapeError>(path, ": dtype is ", images.dtype(), ", expected float32 or uint8");
  const Index per_image = images.size() / found[0];
  for (Index i = 0; i < images.size(); ++i)
    if (const float value = images.data<float>()[i]; !std::isfinite(value))
      fail<ValueError>(path, ": element ", i % per_image, " of image ", i / per_image, " is ", value,
                       ", expected a finite number");
  require_range(images, input_range(graph), path);
  return images;
}

}  // namespace bitgrad::cli
