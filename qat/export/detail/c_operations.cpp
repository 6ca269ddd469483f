// The operations of a graph as calls of the header's functions.
#include <algorithm>
#include <bit>
#include <cmath>

#include <bitgrad/qat/export/detail/bits.hpp>
#include <bitgrad/qat/export/detail/c_exporter.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>
#include <bitgrad/qat/export/detail/concat_codes.hpp>
#include <bitgrad/qat/inference/detail/fixed_point.hpp>

namespace bitgrad::c {
namespace {

constexpr Index most_elements = Index{1} << 27;

/// Whether a row of the kernel meets neighbouring bytes of the image.
bool sums_in_rows(const Conv2DGeometry& g) { return g.groups == 1 && g.dilation_h == 1 && g.dilation_w == 1; }

/// As convolve() of c_runtime.hpp calls it.
std::string_view kind_of_sum(const Conv2DGeometry& g) { return sums_in_rows(g) ? "window" : "group"; }

}  // namespace

/// The bits of a scale or multiplier whose products with integers of 32 bits are normal numbers.
std::string Exporter::bits_of(float value, const GraphNode& node, const char* what) const {
  if (!(value >= 0x1p-80F && value <= 0x1p60F))
    fail<NotImplementedError>("c header: layer \"", node.name, "\": ", what, " is ", value, ", expected 2^-80 to 2^60");
  return hexadecimal(std::bit_cast<std::uint32_t>(value));
}

std::string Exporter::limits(const GraphNode& node, std::int32_t lo, std::int32_t hi) const {
  const std::int32_t lowest = tensor(node.output).grid->lo;
  return message(zero(node.output), ", ", lo - lowest, ", ", hi - lowest);
}

std::string Exporter::table_of(const GraphNode& node, const std::vector<std::uint8_t>& codes) {
  other_bytes_ += static_cast<Index>(codes.size());
  return text_.array("uint8_t", node.name + "_table", codes);
}

void Exporter::emit(const GraphNode& node) {
  if (std::holds_alternative<ReshapeOp>(node.operation)) return;  // the same bytes
  text_.comment(node.name);
  const Shape batch = tensor(node.inputs[0]).shape.prepended(1);
  if (const auto* conv = std::get_if<IntegerConv2D>(&node.operation))
    return emit_layer(node, conv->weights, conv2d_geometry(batch, conv->weights.codes.shape(), conv->window));
  if (const auto* dense = std::get_if<IntegerDense>(&node.operation)) {
    const Index in = dense->weights.codes.dim(0), out = dense->weights.codes.dim(1);
    return emit_layer(node, dense->weights, conv2d_geometry({1, 1, 1, in}, {1, 1, in, out}, {}, Padding::valid()));
  }
  std::visit(
      [&]<class Op>(const Op& op) {
        if constexpr (requires { emit(node, op); })
          emit(node, op);
        else
          fail<NotImplementedError>("c header: layer \"", node.name, "\" (", name_of(node.operation),
                                    ") cannot be written as C");
      },
      node.operation);
}

// ---- convolutions and dense layers ----

/// [kh, kw, in / groups, out] to [out, kh, kw, in / groups], `bits` each, one behind the other.
std::vector<std::uint8_t> Exporter::packed(const IntegerWeights& weights) {
  const Index out = weights.codes.dim(-1), k = weights.codes.size() / out;
  std::vector<std::int32_t> codes;
  for (Index o = 0; o < out; ++o)
    for (Index i = 0; i < k; ++i) codes.push_back(weights.codes.data<std::int32_t>()[i * out + o]);
  std::vector<std::uint8_t> bytes = pack_bits(codes, weights.grid.lo, weights.grid.bits);
  weight_bytes_ += static_cast<Index>(bytes.size());
  if (8 % weights.grid.bits != 0) {  // the last code is read with the byte behind it
    bytes.push_back(0);
    ++other_bytes_;
  }
  return bytes;
}

/// The codes of 0.0, counted from the lowest one: one for all channels where they agree.
std::vector<std::uint8_t> Exporter::zero_points(const GraphNode& node, const IntegerWeights& weights) const {
  const Grid& grid = weights.grid;
  std::vector<std::uint8_t> zeros;
  for (const std::int32_t zero_point : grid.zero_point) {
    if (zero_point < grid.lo || zero_point > grid.hi)
      fail<NotImplementedError>("c header: the weights of \"", node.name, "\" have zero point ", zero_point,
                                ", expected one of ", grid.lo, "..", grid.hi);
    zeros.push_back(static_cast<std::uint8_t>(zero_point - grid.lo));
  }
  if (std::ranges::all_of(zeros, [&](std::uint8_t each) { return each == zeros[0]; })) zeros.resize(1);
  return zeros;
}

/// The functions that the layer is computed with.
void Exporter::need_layer(const GraphNode& node, const IntegerWeights& weights, const Conv2DGeometry& g) {
  const int bits = weights.grid.bits;
  const bool to_codes = tensor(node.output).grid.has_value();
  const bool fixed_point = inference::uses_fixed_point(graph_.mode);
  Results results = to_codes ? Results::codes : Results::floats;
  if (to_codes && fixed_point) {
    const inference::Rounding kind = inference::rounding_of(graph_.mode, weights);
    need_multiply(kind);
    results = kind == inference::Rounding::once ? Results::rounded_once : Results::rounded_twice;
  }
  text_.need(layer(fixed_point));
  text_.need(weight_of(bits));
  if (std::holds_alternative<IntegerDense>(node.operation)) {
    text_.need(dense_sum(bits));
    text_.need(dense(bits, results));
  } else {
    kernel_size_ = std::max(kernel_size_, g.k_h * g.k_w * (g.in_c / g.groups));
    text_.need(kernel_weights);
    text_.need(sums_in_rows(g) ? window_sum : group_sum);
    text_.need(convolve(bits, kind_of_sum(g), results));
  }
}

std::string Exporter::window_fields(const Pool2DGeometry& g) {
  return message(g.in_h, ", ", g.in_w, ", ", g.channels, ", ", g.out_h, ", ", g.out_w, ", ", g.k_h, ", ", g.k_w, ", ",
                 g.stride_h, ", ", g.stride_w, ", ", g.pad_top, ", ", g.pad_left);
}

/// Bits of float32, or fixed point where the layer's codes are computed so.
Exporter::Multipliers Exporter::multipliers_of(const GraphNode& node, const IntegerWeights& weights) const {
  Multipliers result;
  const std::optional<Grid>& output = tensor(node.output).grid;
  if (output && inference::uses_fixed_point(graph_.mode)) {
    for (const auto& [value, shift] : inference::layer_multipliers(weights, *tensor(node.inputs[0]).grid, *output)) {
      result.values.push_back(static_cast<std::uint32_t>(value));
      result.shifts.push_back(static_cast<std::int8_t>(shift));
    }
  } else {
    for (const float multiplier : weights.multiplier) {
      bits_of(multiplier, node, "a multiplier");
      result.values.push_back(std::bit_cast<std::uint32_t>(multiplier));
    }
  }
  const auto all_equal = [](const auto& values) {
    return std::ranges::adjacent_find(values, std::ranges::not_equal_to()) == values.end();
  };
  if (weights.grid.per_channel() || !all_equal(result.values) || !all_equal(result.shifts)) return result;
  result.values.resize(1);
  if (!result.shifts.empty()) result.shifts.resize(1);
  return result;
}

void Exporter::emit_layer(const GraphNode& node, const IntegerWeights& weights, const Conv2DGeometry& g) {
  const Grid& grid = weights.grid;
  if (grid.bits > 8)
    fail<NotImplementedError>("c header: the weights of \"", node.name, "\" have ", grid.bits,
                              " bits; at most 8 can be written as C");
  if (weights.codes.size() > most_elements)
    fail<NotImplementedError>("c header: the weights of \"", node.name, "\" are ", weights.codes.size(),
                              ", more than an int32_t can count in bits");
  const std::vector<std::uint8_t> zeros = zero_points(node, weights);
  const Multipliers multipliers = multipliers_of(node, weights);
  const auto bias = weights.bias.span<std::int32_t>();
  const bool to_codes = tensor(node.output).grid.has_value();
  need_layer(node, weights, g);
  const std::string codes = text_.array("uint8_t", node.name + "_codes", packed(weights));
  const std::string zero_codes = text_.array("uint8_t", node.name + "_zero", zeros);
  const std::string biases =
      text_.array("int32_t", node.name + "_bias", std::vector<std::int32_t>(bias.begin(), bias.end()));
  const std::string scales = text_.array("uint32_t", node.name + "_multiplier", multipliers.values);
  std::string shifts;  // a field of the struct where there is fixed point
  if (inference::uses_fixed_point(graph_.mode))
    shifts =
        multipliers.shifts.empty() ? "0, " : text_.array("int8_t", node.name + "_shift", multipliers.shifts) + ", ";
  weight_bytes_ += static_cast<Index>(4 * (bias.size() + grid.scale.size()));
  shift_bytes_ += static_cast<Index>(multipliers.shifts.size());
  other_bytes_ += static_cast<Index>(zeros.size() + 4 * (multipliers.values.size() - grid.scale.size()));
  const std::string symbol = text_.constant(
      "@_layer", node.name,
      message(g.in_h, ", ", g.in_w, ", ", g.in_c, ", ", g.out_h, ", ", g.out_w, ", ", g.out_c, ", ", g.k_h, ", ", g.k_w,
              ", ", g.stride_h, ", ", g.stride_w, ", ", g.pad_top, ", ", g.pad_left, ", ", g.dilation_h, ", ",
              g.dilation_w, ", ", g.in_c / g.groups, ", ", g.out_c / g.groups, ",\n  ", codes, ", ", zero_codes, ", ",
              zeros.size() > 1, ", ", biases, ", ", scales, ", ", shifts, multipliers.values.size() > 1, ",\n  ",
              zero(node.inputs[0]), ", ", to_codes ? limits(node, weights.clamp_lo, weights.clamp_hi) : "0, 0, 0"));
  const bool is_dense = std::holds_alternative<IntegerDense>(node.operation);
  const std::string function = is_dense ? (to_codes ? "@_dense" : "@_logits")
                                        : message("@_convolve_", kind_of_sum(g), to_codes ? "" : "_to_floats");
  text_.call(message(function, grid.bits, "(&", symbol, ", ", at(node.inputs[0]), ", ",
                     to_codes ? at(node.output) : "results", ")"));
}

// ---- the others ----

void Exporter::emit(const GraphNode& node, const IntegerAdd& op) {
  if (graph_.mode != RequantizationMode::ort) return emit_in_mode(node, op);
  text_.need(real_numbers);
  text_.need(addition);
  const Grid &a = *tensor(node.inputs[0]).grid, &b = *tensor(node.inputs[1]).grid, &y = *tensor(node.output).grid;
  const float ratio_a = a.scale[0] / y.scale[0], ratio_b = b.scale[0] / y.scale[0];
  const auto real_zero = [&](int t) { return static_cast<float>(zero(t)); };
  const float constant =
      real_zero(node.output) - std::fma(ratio_a, real_zero(node.inputs[0]), ratio_b * real_zero(node.inputs[1]));
  int exponent = 0;
  const auto mantissa =
      static_cast<std::int32_t>(std::ldexp(std::frexp(constant, &exponent), 24));  // exact: a float has 24 bits
  text_.call(message("@_addition(", tensor(node.output).shape.size(), ", ", at(node.inputs[0]), ", ",
                     bits_of(ratio_a, node, "a ratio of scales"), ", ", at(node.inputs[1]), ", ",
                     bits_of(ratio_b, node, "a ratio of scales"), ",\n             ", mantissa, ", ", exponent - 24,
                     ", ", op.clamp_lo - y.lo, ", ", op.clamp_hi - y.lo, ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const IntegerConcat& op) {
  text_.need(concat);
  const Shape& shape = tensor(node.output).shape;
  const Grid& y = *tensor(node.output).grid;
  const int axis = normalize_axis(op.axis, shape.rank(), node.name);
  Index rows = 1, start = 0;
  for (int i = 0; i < axis; ++i) rows *= shape[i];
  const Index width = shape.size() / rows;
  for (const int input : node.inputs) {
    std::vector<std::uint8_t> codes;
    for (const std::int32_t code : concat_codes(*tensor(input).grid, y, op))
      codes.push_back(static_cast<std::uint8_t>(code));
    const Index part = tensor(input).shape.size() / rows;
    text_.call(message("@_place(", rows, ", ", part, ", ", width, ", ", table_of(node, codes), ", ", at(input), ", ",
                       at(node.output), " + ", start, ")"));
    start += part;
  }
}

void Exporter::emit(const GraphNode& node, const IntegerAveragePool2D& op) {
  if (graph_.mode != RequantizationMode::ort) return emit_in_mode(node, op);
  text_.need(real_numbers);
  text_.need(average_pool);
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  const std::string symbol = text_.constant(
      "@_average", node.name,
      message(window_fields(g), ",\n  ", zero(node.inputs[0]), ", ", limits(node, op.clamp_lo, op.clamp_hi), ", ",
              bits_of(tensor(node.inputs[0]).grid->scale[0], node, "the input's scale"), ", ",
              bits_of(tensor(node.output).grid->scale[0], node, "the output's scale")));
  text_.call(message("@_average_pool(&", symbol, ", ", at(node.inputs[0]), ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const IntegerGlobalAveragePool2D& op) {
  text_.need(global_sum);
  if (graph_.mode != RequantizationMode::ort) return emit_in_mode(node, op);
  text_.need(global_average_pool);
  const Shape& shape = tensor(node.inputs[0]).shape;
  const Index pixels = shape[0] * shape[1];
  const float divisor = tensor(node.output).grid->scale[0] * static_cast<float>(pixels);
  const float multiplier = tensor(node.inputs[0]).grid->scale[0] / divisor;
  text_.call(message("@_global_average_pool(", at(node.inputs[0]), ", ", pixels, ", ", shape[2], ", ",
                     zero(node.inputs[0]), ", ", bits_of(multiplier, node, "the multiplier"), ", ",
                     limits(node, op.clamp_lo, op.clamp_hi), ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const IntegerTable& op) {
  text_.need(table);
  std::vector<std::uint8_t> codes;
  for (const std::int32_t code : op.codes.span<std::int32_t>())
    codes.push_back(static_cast<std::uint8_t>(code - tensor(node.output).grid->lo));
  const Index channels = op.codes.rank() == 2 ? op.codes.dim(0) : 1;
  text_.call(message("@_look_up(", tensor(node.output).shape.size(), ", ", channels, ", ", op.codes.dim(-1), ", ",
                     table_of(node, codes), ", ", at(node.inputs[0]), ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const MaxPool2DOp& op) {
  text_.need(max_pool);
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  const std::string symbol = text_.constant("@_window", node.name, window_fields(g));
  text_.call(message("@_max_pool(&", symbol, ", ", at(node.inputs[0]), ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const Pad2DOp& op) {
  text_.need(pad);
  const Shape &in = tensor(node.inputs[0]).shape, &out = tensor(node.output).shape;
  text_.call(message("@_pad(", at(node.inputs[0]), ", ", in[0], ", ", in[1], ", ", in[2], ", ", op.padding.top, ", ",
                     op.padding.left, ", ", out[0], ", ", out[1], ", ", zero(node.output), ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const Upsample2DOp& op) {
  text_.need(upsample);
  const Shape& in = tensor(node.inputs[0]).shape;
  text_.call(message("@_upsample(", at(node.inputs[0]), ", ", in[0], ", ", in[1], ", ", in[2], ", ", op.factor.h, ", ",
                     op.factor.w, ", ", at(node.output), ")"));
}

void Exporter::emit(const GraphNode& node, const InsertZeros2DOp& op) {
  text_.need(insert_zeros);
  const Shape& out = tensor(node.output).shape;
  text_.call(message("@_insert_zeros(", at(node.inputs[0]), ", ", out[2], ", ", op.stride.h, ", ", op.stride.w, ", ",
                     out[0], ", ", out[1], ", ", zero(node.output), ", ", at(node.output), ")"));
}

}  // namespace bitgrad::c
