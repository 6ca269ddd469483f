// What a requantization mode has arithmetic for.
#include <algorithm>
#include <cmath>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::inference {
namespace {

/// Magnitudes of products with fixed point that leave room for zero points: TFLite's own kernels end at 2^31.
constexpr std::int64_t product_limit = std::int64_t{1} << 30;

class ModeCheck {
 public:
  ModeCheck(const InferenceGraph& graph, const GraphNode& node) : graph_(graph), node_(node) {}

  template <class Op>
  void operator()(const Op& op) const {
    if constexpr (std::is_same_v<Op, IntegerConv2D> || std::is_same_v<Op, IntegerDense>) {
      if (uses_fixed_point(graph_.mode) && output().grid) check_layer(op.weights);
    } else if constexpr (std::is_same_v<Op, IntegerAdd>) {
      check_addition();
    } else if constexpr (std::is_same_v<Op, IntegerGlobalAveragePool2D>) {
      check_average();
    } else if constexpr (std::is_same_v<Op, IntegerAveragePool2D>) {
      check_windows(op);
    }
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<NotImplementedError>("requantization ", name_of(graph_.mode), ": \"", node_.name, "\" ", parts...);
  }
  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  const GraphTensor& output() const { return tensor(node_.output); }
  const Grid& grid(std::size_t i = 0) const { return *tensor(node_.inputs[i]).grid; }

  void check_product(std::int64_t magnitude, const FixedPoint& multiplier, std::string_view what) const {
    const int left = std::max(multiplier.shift, 0);
    if (left > 30 || magnitude >= product_limit >> left)
      refuse(what, " that can reach ", magnitude, " and a multiplier near 2^", multiplier.shift,
             "; their product does not fit the 32 bits that this mode computes with");
  }
  void check_layer(const IntegerWeights& weights) const {
    const std::vector<ChannelBounds> bounds = accumulator_bounds(weights, grid());
    const std::vector<FixedPoint> multipliers = layer_multipliers(weights, grid(), *output().grid);
    for (std::size_t c = 0; c < bounds.size(); ++c)
      check_product(bounds[c].magnitude() + std::abs(std::int64_t{weights.bias.data<std::int32_t>()[c]}),
                    multipliers[c], message("has accumulators in channel ", c));
  }
  /// Of so many pixels, all with the code that is farthest from zero.
  std::int64_t largest_sum(Index pixels) const {
    const CentredRange range = centred_range(grid());
    return pixels * std::max(range.hi, -range.lo);
  }
  /// XNNPACK's averages: sums in 32 bits, products in float32.
  void check_float_average(Index pixels) const {
    if (largest_sum(pixels) > std::numeric_limits<std::int32_t>::max() / 2)
      refuse("has sums that can reach ", largest_sum(pixels), ", which 32 bits do not hold");
    if (!std::isfinite(grid().scale[0] / output().grid->scale[0])) refuse("averages between scales too far apart");
  }
  void check_average() const {
    const Shape& shape = tensor(node_.inputs[0]).shape;
    const Index pixels = shape[0] * shape[1];
    if (!uses_fixed_point(graph_.mode)) return check_float_average(pixels);
    check_product(largest_sum(pixels), average_multiplier(grid(), *output().grid, pixels), "has sums");
  }
  void check_windows(const IntegerAveragePool2D& op) const {
    const Shape input = tensor(node_.inputs[0]).shape.prepended(1);
    for (const Index pixels : window_pixels(pool2d_geometry(input, op.window, op.stride, op.padding)))
      if (uses_fixed_point(graph_.mode))
        check_product(largest_sum(pixels), window_multiplier(grid(), *output().grid, pixels).fixed, "has sums");
      else
        check_float_average(pixels);
  }
  void check_addition() const {
    const float y = output().grid->scale[0];
    for (const int input : node_.inputs) {
      const float ratio = tensor(input).grid->scale[0] / y;
      if (graph_.mode == RequantizationMode::xnnpack && !(ratio >= 0x1p-10F && ratio < 0x1p8F))
        refuse("adds \"", tensor(input).name, "\", whose scale is ", ratio,
               " times that of the sum; XNNPACK adds with ratios from 2^-10 to 2^8");
      if (uses_fixed_point(graph_.mode) && !(ratio < 0x1p19F))
        refuse("adds \"", tensor(input).name, "\", whose scale is ", ratio,
               " times that of the sum; TFLite adds with ratios below 2^19");
    }
  }

  const InferenceGraph& graph_;
  const GraphNode& node_;
};

}  // namespace

void check_mode(const InferenceGraph& graph) {
  if (graph.mode == RequantizationMode::ort) return;
  const std::string_view mode = name_of(graph.mode);
  for (const GraphTensor& tensor : graph.tensors)
    if (tensor.grid && std::int64_t{tensor.grid->hi} - tensor.grid->lo > 255)
      fail<NotImplementedError>("requantization ", mode, ": tensor \"", tensor.name, "\" has codes ", tensor.grid->lo,
                                "..", tensor.grid->hi, "; this mode is for activations of at most 8 bits");
  for (const GraphNode& node : graph.nodes) std::visit(ModeCheck(graph, node), node.operation);
}

}  // namespace bitgrad::inference
