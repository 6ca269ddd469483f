#include <bitgrad/qat/inference/detail/check_node.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>

namespace bitgrad::inference {
namespace {

/// Checks one node against the tensors around it.
class NodeCheck {
 public:
  NodeCheck(const InferenceGraph& graph, const GraphNode& node) : graph_(graph), node_(node) {}

  void run() const {
    check_operands();
    std::visit([&](const auto& op) { check(op); }, node_.operation);
  }

 private:
  template <class E, class... Parts>
  [[noreturn]] void complain(const Parts&... parts) const {
    fail<E>("graph node \"", node_.name, "\" (", name_of(node_.operation), "): ", parts...);
  }

  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }
  const GraphTensor& input(std::size_t i = 0) const { return tensor(node_.inputs[i]); }
  const GraphTensor& output() const { return tensor(node_.output); }
  Shape batch_of_one() const { return input().shape.prepended(1); }

  /// How many inputs there are, and on which side of the operation there are grids.
  void check_operands() const {
    const bool any =
        std::holds_alternative<IntegerConcat>(node_.operation) || std::holds_alternative<FloatConcat>(node_.operation);
    const bool two =
        std::holds_alternative<IntegerAdd>(node_.operation) || std::holds_alternative<FloatAdd>(node_.operation) ||
        std::holds_alternative<WhereOp>(node_.operation) || std::holds_alternative<FloatWhere>(node_.operation);
    const std::size_t wanted = any ? std::max<std::size_t>(node_.inputs.size(), 1) : (two ? 2 : 1);
    if (node_.inputs.size() != wanted) complain<ValueError>(node_.inputs.size(), " inputs, expected ", wanted);
    if (moves_data(node_.operation)) {
      for (const int i : node_.inputs)
        if (tensor(i).grid != output().grid) complain<ValueError>("the output's grid is not that of the input");
      return;
    }
    const std::string_view name = name_of(node_.operation);
    const bool integer = name.starts_with("integer_");
    const bool codes_in = integer || name == "dequantize",
               codes_out = name == "quantize" || (integer && !integer_weights(node_.operation));
    for (const int i : node_.inputs)
      if (tensor(i).grid.has_value() != codes_in)
        complain<ValueError>("input \"", tensor(i).name,
                             codes_in ? "\" has no grid" : "\" has a grid, expected float32");
    if (!integer_weights(node_.operation) && output().grid.has_value() != codes_out)
      complain<ValueError>("output \"", output().name,
                           codes_out ? "\" has no grid" : "\" has a grid, expected float32");
  }

  void check_shape(const Shape& expected) const {
    if (output().shape != expected)
      complain<ShapeError>("output \"", output().name, "\" has shape ", output().shape, ", expected ", expected);
  }
  void check_array(const Tensor& array, std::string_view field, const Shape& shape, DType dtype) const {
    if (!array.defined() || array.dtype() != dtype || array.shape() != shape)
      complain<ShapeError>("field ", field, " is ",
                           array.defined() ? message(array.dtype(), " ", array.shape()) : "undefined", ", expected ",
                           dtype, " ", shape);
  }
  void check_clamp(std::int32_t lo, std::int32_t hi) const {
    const Grid& grid = *output().grid;
    if (lo < grid.lo || hi > grid.hi || lo > hi)
      complain<ValueError>("field clamp is ", lo, "..", hi, ", expected codes of ", grid.lo, "..", grid.hi);
  }

  void check_weights(const IntegerWeights& weights, int rank) const {
    const Index out = weights.codes.defined() && weights.codes.rank() == rank ? weights.codes.dim(-1) : 0;
    if (weights.codes.dtype() != DType::int32 || out == 0)
      complain<ShapeError>("field codes is ", weights.codes.dtype(), " ", weights.codes.shape(),
                           ", expected int32 of rank ", rank, " with at least one output channel");
    validate(weights.grid, message("graph node \"", node_.name, "\": weights"));
    const bool last =
        weights.grid.channel_axis && (*weights.grid.channel_axis == -1 || *weights.grid.channel_axis == rank - 1);
    if (weights.grid.scale.size() != (weights.grid.per_channel() ? static_cast<std::size_t>(out) : 1) ||
        (weights.grid.per_channel() && !last))
      complain<ValueError>("field grid has ", weights.grid.scale.size(), " scales, expected one or, along axis -1, ",
                           out);
    for (const std::int32_t code : weights.codes.span<std::int32_t>())
      if (code < weights.grid.lo || code > weights.grid.hi)
        complain<ValueError>("field codes holds ", code, ", expected ", weights.grid.lo, "..", weights.grid.hi);
    check_array(weights.bias, "bias", {out}, DType::int32);
    if (static_cast<Index>(weights.multiplier.size()) != out)
      complain<ShapeError>("field multiplier has ", weights.multiplier.size(), " elements, expected ", out);
    for (const float m : weights.multiplier)
      if (!std::isfinite(m) || m <= 0)
        complain<ValueError>("field multiplier holds ", m, ", expected finite positive numbers");
    if (output().grid) check_clamp(weights.clamp_lo, weights.clamp_hi);
    const std::vector<ChannelBounds> bounds = accumulator_bounds(weights, *input().grid);
    for (std::size_t c = 0; c < bounds.size(); ++c)
      if (!fits_int32(bounds[c], weights.bias.data<std::int32_t>()[c]))
        complain<ValueError>("the accumulator of channel ", c, " can leave int32");
  }

  /// Numbers small enough that no sum or product of a geometry leaves 64 bits.
  void check_extents(std::string_view field, std::initializer_list<Index> extents) const {
    for (const Index extent : extents)
      if (extent > most_extent)
        complain<ValueError>("field ", field, " has ", extent, ", expected at most ", most_extent);
  }
  void check_padding(const Padding& p) const { check_extents("padding", {p.top, p.bottom, p.left, p.right}); }
  void check_window(const Conv2DArguments& window, const Shape& kernel) const {
    check_extents("stride", {window.stride.h, window.stride.w});
    check_extents("dilation", {window.dilation.h, window.dilation.w});
    check_padding(window.padding);
    const Conv2DGeometry g = conv2d_geometry(batch_of_one(), kernel, window);
    // Kernels copy the image with its padding.
    const double framed = static_cast<double>(g.in_h + g.pad_top + g.pad_bottom) *
                          static_cast<double>(g.in_w + g.pad_left + g.pad_right) * static_cast<double>(g.in_c);
    if (framed > static_cast<double>(most_elements))
      complain<ValueError>("the image with its padding has ", framed, " elements, expected at most ", most_elements);
    check_shape(output_shape(g).without_front());
  }
  void check(const IntegerConv2D& op) const {
    check_weights(op.weights, 4);
    check_window(op.window, op.weights.codes.shape());
  }
  void check(const IntegerDense& op) const {
    check_weights(op.weights, 2);
    check_dense(op.weights.codes.shape());
  }
  void check_dense(const Shape& kernel) const {
    if (input().shape != Shape{kernel[0]})
      complain<ShapeError>("input has shape ", input().shape, ", the weights are ", kernel);
    check_shape({kernel[1]});
  }
  void check_add() const {
    if (input(0).shape != input(1).shape)
      complain<ShapeError>("inputs have shapes ", input(0).shape, " and ", input(1).shape);
    check_shape(input().shape);
  }
  void check(const IntegerAdd& op) const {
    check_add();
    check_clamp(op.clamp_lo, op.clamp_hi);
  }
  void check_concat(int axis) const {
    const Shape& first = input().shape;
    const int joined = normalize_axis(axis, first.rank(), message("graph node \"", node_.name, "\""));
    Index extent = 0;
    for (const int i : node_.inputs) {
      const Shape& shape = tensor(i).shape;
      if (shape.rank() != first.rank() || shape.with(joined, 0) != first.with(joined, 0))
        complain<ShapeError>("inputs of shapes ", first, " and ", shape, " differ outside axis ", joined);
      extent += shape[joined];
    }
    check_shape(first.with(joined, extent));
  }
  void check(const IntegerConcat& op) const {
    check_concat(op.axis);
    check_clamp(op.clamp_lo, op.clamp_hi);
  }
  void check_pool(const PoolWindow& window, Stride stride, const Padding& padding) const {
    constexpr Index most_window = Index{1} << 15;  // their pixels are multiplied
    for (const Index extent : {window.h, window.w})
      if (extent > most_window) complain<ValueError>("field window has ", extent, ", expected at most ", most_window);
    check_extents("stride", {stride.h, stride.w});
    check_padding(padding);
    check_shape(output_shape(pool2d_geometry(batch_of_one(), window, stride, padding)).without_front());
  }
  void check(const IntegerAveragePool2D& op) const {
    check_pool(op.window, op.stride, op.padding);
    check_clamp(op.clamp_lo, op.clamp_hi);
  }
  void check_global_average() const {
    const Shape& shape = input().shape;
    if (shape.rank() != 3 || shape[0] * shape[1] == 0)
      complain<ShapeError>("input has shape ", shape, ", expected (h, w, c)");
    check_shape({shape[2]});
  }
  void check(const IntegerGlobalAveragePool2D& op) const {
    check_global_average();
    check_clamp(op.clamp_lo, op.clamp_hi);
    const CentredRange range = centred_range(*input().grid);
    const std::int64_t most = input().shape[0] * input().shape[1] * std::max(range.hi, -range.lo);
    if (most > std::numeric_limits<std::int32_t>::max())
      complain<ValueError>("the sum can reach ", most, ", which does not fit int32");
  }
  void check(const IntegerTable& op) const {
    const Grid& grid = *input().grid;
    const Index entries = static_cast<Index>(grid.hi) - grid.lo + 1;
    const bool per_channel = op.codes.defined() && op.codes.rank() == 2 && input().shape.rank() > 0;
    check_array(op.codes, "codes", per_channel ? Shape{input().shape[-1], entries} : Shape{entries}, DType::int32);
    for (const std::int32_t code : op.codes.span<std::int32_t>()) check_clamp(code, code);
    check_shape(input().shape);
  }
  void check(const QuantizeOp&) const { check_shape(input().shape); }
  void check(const DequantizeOp&) const { check_shape(input().shape); }
  void check(const MaxPool2DOp& op) const { check_pool(op.window, op.stride, op.padding); }
  void check(const ReshapeOp&) const {
    if (input().shape.size() != output().shape.size())
      complain<ShapeError>("cannot reshape ", input().shape, " to ", output().shape);
  }
  void check(const Pad2DOp& op) const {
    const Padding& p = op.padding;
    const Shape& shape = input().shape;
    if (shape.rank() != 3) complain<ShapeError>("input has shape ", shape, ", expected (h, w, c)");
    for (const Index side : {p.top, p.bottom, p.left, p.right})
      if (p.kind != Padding::Kind::explicit_ || side < 0 || side > most_extent)
        complain<ValueError>("field padding needs four explicit sides, none of them negative");
    check_shape({shape[0] + p.top + p.bottom, shape[1] + p.left + p.right, shape[2]});
  }

  void check_upsampling(const UpsampleFactor& factor) const {
    const Shape& shape = input().shape;
    if (shape.rank() != 3) complain<ShapeError>("input has shape ", shape, ", expected (h, w, c)");
    for (const Index times : {factor.h, factor.w})
      if (times < 1 || times > most_extent)
        complain<ValueError>("field factor is [", factor.h, ",", factor.w, "], expected 1 to ", most_extent);
    check_shape({shape[0] * factor.h, shape[1] * factor.w, shape[2]});
  }
  void check(const Upsample2DOp& op) const { check_upsampling(op.factor); }
  void check(const FloatUpsample2D& op) const { check_upsampling(op.factor); }
  void check(const InsertZeros2DOp& op) const {
    const Shape& shape = input().shape;
    if (shape.rank() != 3 || shape[0] < 1 || shape[1] < 1)
      complain<ShapeError>("input has shape ", shape, ", expected (h, w, c) with at least one pixel");
    for (const Index distance : {op.stride.h, op.stride.w})
      if (distance < 1 || distance > most_extent)
        complain<ValueError>("field stride is [", op.stride.h, ",", op.stride.w, "], expected 1 to ", most_extent);
    check_shape({(shape[0] - 1) * op.stride.h + 1, (shape[1] - 1) * op.stride.w + 1, shape[2]});
  }

  void check_where(const Tensor& mask) const {
    check_add();
    check_array(mask, "mask", input().shape, DType::float32);
    for (const float value : mask.span<float>())
      if (value != 0 && value != 1) complain<ValueError>("field mask holds ", value, ", expected 0 and 1");
  }
  void check(const WhereOp& op) const { check_where(op.mask); }
  void check(const FloatWhere& op) const { check_where(op.mask); }

  void check_bias(const Tensor& bias, Index out) const {
    if (bias.defined()) check_array(bias, "bias", {out}, DType::float32);
  }
  void check(const FloatConv2D& op) const {
    const Shape shape = op.kernel.defined() ? op.kernel.shape() : Shape{};
    check_array(op.kernel, "kernel", shape, DType::float32);
    check_window(op.window, shape);
    check_bias(op.bias, shape[3]);
  }
  void check(const FloatDense& op) const {
    if (!op.kernel.defined() || op.kernel.rank() != 2)
      complain<ShapeError>("field kernel is ", op.kernel.shape(), ", expected rank 2");
    check_array(op.kernel, "kernel", op.kernel.shape(), DType::float32);
    check_dense(op.kernel.shape());
    check_bias(op.bias, op.kernel.dim(1));
  }
  void check_channels(const Tensor& array, std::string_view field) const {
    const Index channels = input().shape[-1];
    check_array(array, field, {array.defined() && array.size() == 1 ? 1 : channels}, DType::float32);
  }
  void check(const FloatBatchNorm& op) const {
    check_channels(op.gain, "gain");
    check_channels(op.offset, "offset");
    check_shape(input().shape);
  }
  void check(const FloatNormalize& op) const {
    check_channels(op.mean, "mean");
    check_channels(op.deviation, "deviation");
    check_shape(input().shape);
  }
  void check(const FloatLayerNorm& op) const {
    if (input().shape.rank() == 0 || input().shape[-1] == 0)
      complain<ShapeError>("input has shape ", input().shape, ", expected (..., channels)");
    check_array(op.gamma, "gamma", {input().shape[-1]}, DType::float32);
    check_array(op.beta, "beta", {input().shape[-1]}, DType::float32);
    if (!(op.epsilon > 0 && std::isfinite(op.epsilon)))
      complain<ValueError>("field epsilon is ", op.epsilon, ", expected a positive finite number");
    check_shape(input().shape);
  }
  void check(const FloatAveragePool2D& op) const { check_pool(op.window, op.stride, op.padding); }
  void check(const FloatGlobalAveragePool2D&) const { check_global_average(); }
  void check(const FloatClamp& op) const {
    if (!(op.low <= op.high)) complain<ValueError>("clamps to ", op.low, "..", op.high, ", expected low <= high");
    check_shape(input().shape);
  }
  void check(const FloatElementwise& op) const {
    check_shape(input().shape);
    if (!std::isfinite(op.slope)) complain<ValueError>("field slope is ", op.slope, ", expected a finite number");
    if (!std::isfinite(op.exponent))
      complain<ValueError>("field exponent is ", op.exponent, ", expected a finite number");
  }
  void check(const FloatSoftmax&) const {
    if (input().shape.rank() == 0) complain<ShapeError>("input is a scalar");
    check_shape(input().shape);
  }
  void check(const FloatAdd&) const { check_add(); }
  void check(const FloatConcat& op) const { check_concat(op.axis); }

  const InferenceGraph& graph_;
  const GraphNode& node_;
};

}  // namespace

void check_node(const InferenceGraph& graph, const GraphNode& node) { NodeCheck(graph, node).run(); }

}  // namespace bitgrad::inference
