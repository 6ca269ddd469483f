// Sums and averages of the requantization modes other than ort as calls of the header's functions.
#include <bit>
#include <cmath>

#include <bitgrad/qat/export/detail/c_exporter.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>

namespace bitgrad::c {

/// The name of the function that multiplies in fixed point.
std::string_view Exporter::need_multiply(inference::Rounding kind) {
  const bool once = kind == inference::Rounding::once;
  text_.need(floor_shift);
  text_.need(once ? fixed_point_once : fixed_point_twice);
  return once ? multiply_once : multiply_twice;
}

std::string Exporter::fixed(const inference::FixedPoint& multiplier) {
  return message(multiplier.value, ", ", multiplier.shift);
}

void Exporter::emit_in_mode(const GraphNode& node, const IntegerAdd& op) {
  const Grid &a = *tensor(node.inputs[0]).grid, &b = *tensor(node.inputs[1]).grid, &y = *tensor(node.output).grid;
  const std::string operands =
      message(tensor(node.output).shape.size(), ", ", at(node.inputs[0]), ", ", zero(node.inputs[0]), ", ",
              at(node.inputs[1]), ", ", zero(node.inputs[1]), ",\n             ");
  const std::string results = message(", ", limits(node, op.clamp_lo, op.clamp_hi), ", ", at(node.output), ")");
  if (graph_.mode == RequantizationMode::xnnpack) {
    text_.need(floor_shift);
    text_.need(addition_xnnpack);
    const inference::XnnpackAddition sum = inference::xnnpack_addition(a, b, y);
    text_.call(message("@_addition(", operands, sum.a, ", ", sum.b, ", ", sum.shift, results));
  } else {
    text_.need(addition_tflite(need_multiply(inference::rounding_of(graph_.mode))));
    const inference::TfliteAddition sum = inference::tflite_addition(a, b, y);
    text_.call(message("@_addition(", operands, fixed(sum.a), ", ", fixed(sum.b), ", ", fixed(sum.sum), results));
  }
}

void Exporter::emit_in_mode(const GraphNode& node, const IntegerGlobalAveragePool2D& op) {
  const Grid &x = *tensor(node.inputs[0]).grid, &y = *tensor(node.output).grid;
  const Shape& shape = tensor(node.inputs[0]).shape;
  const Index pixels = shape[0] * shape[1];
  std::string numbers;
  if (graph_.mode == RequantizationMode::xnnpack) {
    text_.need(real_numbers);
    text_.need(global_average_pool_xnnpack);
    const inference::XnnpackAverage average = inference::xnnpack_average(x, y, pixels);
    int exponent = 0;
    const auto mantissa = static_cast<std::int32_t>(std::ldexp(std::frexp(average.bias, &exponent), 24));  // exact
    numbers = message(inference::lowest_int8, ", ", bits_of(average.multiplier, node, "the multiplier"), ", ", mantissa,
                      ", ", exponent - 24);
  } else {
    text_.need(global_average_pool_fixed_point(need_multiply(inference::rounding_of(graph_.mode))));
    numbers = message(zero(node.inputs[0]), ", ", fixed(inference::average_multiplier(x, y, pixels)));
  }
  text_.call(message("@_global_average_pool(", at(node.inputs[0]), ", ", pixels, ", ", shape[2], ", ", numbers, ", ",
                     limits(node, op.clamp_lo, op.clamp_hi), ", ", at(node.output), ")"));
}

void Exporter::emit_in_mode(const GraphNode& node, const IntegerAveragePool2D& op) {
  const Grid &x = *tensor(node.inputs[0]).grid, &y = *tensor(node.output).grid;
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  const std::vector<Index> counts = inference::window_pixels(g);
  const bool in_fixed_point = inference::uses_fixed_point(graph_.mode);
  std::vector<std::uint32_t> multipliers(static_cast<std::size_t>(counts.back()));  // 0 for numbers that do not occur
  std::vector<std::int8_t> shifts(in_fixed_point ? multipliers.size() : 0);
  for (const Index pixels : counts) {
    const inference::WindowMultiplier multiplier = inference::window_multiplier(x, y, pixels);
    const std::size_t place = static_cast<std::size_t>(pixels - 1);
    if (in_fixed_point) {
      multipliers[place] = static_cast<std::uint32_t>(multiplier.fixed.value);
      shifts[place] = static_cast<std::int8_t>(multiplier.fixed.shift);
    } else {
      bits_of(multiplier.real, node, "the multiplier");
      multipliers[place] = std::bit_cast<std::uint32_t>(multiplier.real);
    }
  }
  text_.need(average_pool_by_count(in_fixed_point ? need_multiply(inference::rounding_of(graph_.mode)) : ""));
  other_bytes_ += static_cast<Index>(4 * multipliers.size() + shifts.size());
  const std::string values = text_.array("uint32_t", node.name + "_multiplier", multipliers);
  const std::string exponents = in_fixed_point ? text_.array("int8_t", node.name + "_shift", shifts) + ", " : "";
  const std::string symbol = text_.constant(
      "@_average", node.name,
      message(window_fields(g), ",\n  ", zero(node.inputs[0]), ", ", limits(node, op.clamp_lo, op.clamp_hi)));
  text_.call(message("@_average_pool(&", symbol, ", ", values, ", ", exponents, at(node.inputs[0]), ", ",
                     at(node.output), ")"));
}

}  // namespace bitgrad::c
