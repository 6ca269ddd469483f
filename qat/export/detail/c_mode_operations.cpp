// Sums and global averages of the requantization modes other than ort as calls of the header's functions.
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

}  // namespace bitgrad::c
