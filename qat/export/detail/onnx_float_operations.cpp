// Operations that were left in float32. They keep their meaning; their last bits are the runtime's.
#include <cmath>

#include <bitgrad/qat/export/detail/onnx_exporter.hpp>
#include <bitgrad/qat/export/detail/onnx_layout.hpp>

namespace bitgrad::onnx {
namespace {

/// Output channels, the last axis, first.
std::vector<float> outputs_first(const Tensor& kernel) {
  const Index out = kernel.dim(-1), in = kernel.dim(-2), pixels = kernel.size() / (in * out);
  std::vector<float> result;
  for (Index o = 0; o < out; ++o)
    for (Index i = 0; i < in; ++i)
      for (Index p = 0; p < pixels; ++p) result.push_back(kernel.data<float>()[(p * in + i) * out + o]);
  return result;
}

std::vector<float> values(const Tensor& tensor) { return {tensor.span<float>().begin(), tensor.span<float>().end()}; }

}  // namespace

std::vector<std::string> Exporter::float_weights(const GraphNode& node, const Tensor& kernel, const Tensor& bias) {
  const Shape& shape = kernel.shape();
  const Dims dims = shape.rank() == 4 ? Dims{shape[3], shape[2], shape[0], shape[1]} : Dims{shape[1], shape[0]};
  std::vector<std::string> inputs{real_of(node.inputs[0]),
                                  builder_.floats(node.name + "/kernel", outputs_first(kernel), dims)};
  if (bias.defined()) inputs.push_back(builder_.floats(node.name + "/bias", values(bias), {bias.size()}));
  return inputs;
}

/// Values along the channels, or one for all, such that they broadcast.
std::string Exporter::per_channel(const GraphNode& node, const char* name, const Tensor& tensor) {
  const bool image = output_of(node).shape.rank() == 3 && tensor.size() > 1;
  return builder_.floats(node.name + "/" + name, values(tensor),
                         image ? Dims{tensor.size(), 1, 1} : Dims{tensor.size()});
}

void Exporter::emit(const GraphNode& node, const FloatConv2D& op) {
  const Conv2DGeometry g = conv2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.kernel.shape(), op.window);
  real_result(node, "Conv", float_weights(node, op.kernel, op.bias), window_attributes(g));
}

void Exporter::emit(const GraphNode& node, const FloatDense& op) {
  real_result(node, "Gemm", float_weights(node, op.kernel, op.bias), std::vector<Attribute>{{"transB", Index{1}}});
}

void Exporter::emit(const GraphNode& node, const FloatBatchNorm& op) {
  const Wire scaled = builder_.add(node.name, "Mul", {real_of(node.inputs[0]), per_channel(node, "gain", op.gain)},
                                   Type::float32, dims_of(output_of(node).shape));
  real_result(node, "Add", {scaled.name, per_channel(node, "offset", op.offset)});
}

void Exporter::emit(const GraphNode& node, const FloatNormalize& op) {
  const Wire centred = builder_.add(node.name, "Sub", {real_of(node.inputs[0]), per_channel(node, "mean", op.mean)},
                                    Type::float32, dims_of(output_of(node).shape));
  real_result(node, "Div", {centred.name, per_channel(node, "deviation", op.deviation)});
}

/// Out of the operations of opset 13: LayerNormalization is of opset 17.
void Exporter::emit(const GraphNode& node, const FloatLayerNorm& op) {
  const Shape& shape = output_of(node).shape;
  const Index channel = axis_of(-1, shape.rank());
  const Dims whole = dims_of(shape);
  Dims row = whole;
  row[static_cast<std::size_t>(channel - 1)] = 1;
  const std::string axis = builder_.integers(node.name + "/axis", {channel});
  const std::string count = builder_.floats(node.name + "/count", {static_cast<float>(shape[-1])}, {});
  const std::string epsilon = builder_.floats(node.name + "/epsilon", {op.epsilon}, {});
  const auto step = [&](const char* operation, std::vector<std::string> inputs, const Dims& dims) {
    return builder_.add(node.name, operation, std::move(inputs), Type::float32, dims).name;
  };
  const auto mean = [&](const std::string& x) {
    const std::vector<Attribute> keep{{"keepdims", Index{1}}};
    return step("Div", {builder_.add(node.name, "ReduceSum", {x, axis}, Type::float32, row, keep).name, count}, row);
  };
  const std::string x = real_of(node.inputs[0]);
  const std::string centred = step("Sub", {x, mean(x)}, whole);
  const std::string variance = mean(step("Mul", {centred, centred}, whole));
  const std::string deviation = step("Sqrt", {step("Add", {variance, epsilon}, row)}, row);
  const std::string normal = step("Div", {centred, deviation}, whole);
  const std::string scaled = step("Mul", {normal, per_channel(node, "gamma", op.gamma)}, whole);
  real_result(node, "Add", {scaled, per_channel(node, "beta", op.beta)});
}

void Exporter::emit(const GraphNode& node, const FloatAveragePool2D& op) {
  const Pool2DGeometry g = pool2d_geometry(tensor(node.inputs[0]).shape.prepended(1), op.window, op.stride, op.padding);
  std::vector<Attribute> attributes = window_attributes(g);
  attributes.push_back({"count_include_pad", Index{0}});
  real_result(node, "AveragePool", real_inputs(node), std::move(attributes));
}

void Exporter::emit(const GraphNode& node, const FloatGlobalAveragePool2D&) {
  const Wire pooled =
      builder_.add(node.name, "GlobalAveragePool", real_inputs(node), Type::float32, {output_of(node).shape[0], 1, 1});
  real_result(node, "Flatten", {pooled.name}, std::vector<Attribute>{{"axis", Index{1}}});
}

/// With the default coordinates of Resize, half_pixel, and the border repeated.
void Exporter::emit(const GraphNode& node, const FloatUpsample2D& op) {
  real_result(node, "Resize", resize_inputs(node, op.factor), std::vector<Attribute>{{"mode", std::string("linear")}});
}

void Exporter::emit(const GraphNode& node, const FloatClamp& op) {
  if (op.low == 0.0F && std::isinf(op.high)) {
    real_result(node, "Relu", real_inputs(node));
    return;
  }
  const auto bound = [&](const char* name, float value) {
    return std::isinf(value) ? std::string() : builder_.floats(node.name + "/" + name, {value}, {});
  };
  const std::string low = bound("min", op.low), high = bound("max", op.high);
  real_result(node, "Clip", {real_of(node.inputs[0]), low, high});
}

void Exporter::emit(const GraphNode& node, const FloatElementwise& op) {
  const std::string x = real_of(node.inputs[0]);
  const auto number = [&](const char* name, float value) {
    return builder_.floats(node.name + "/" + name, {value}, {});
  };
  const auto step = [&](const char* operation, std::vector<std::string> inputs) {
    return builder_.add(node.name, operation, std::move(inputs), Type::float32, dims_of(output_of(node).shape)).name;
  };
  const auto ramp = [&] {  // min(max(x + 3, 0), 6)
    return step("Clip", {step("Add", {x, number("three", 3)}), number("min", 0), number("max", 6)});
  };
  const auto result = [&](const char* operation, std::vector<std::string> inputs) {
    real_result(node, operation, std::move(inputs));
  };
  switch (op.function) {
    case ElementwiseFunction::sigmoid: return result("Sigmoid", {x});
    case ElementwiseFunction::exp: return result("Exp", {x});
    case ElementwiseFunction::log: return result("Log", {x});
    case ElementwiseFunction::sqrt: return result("Sqrt", {x});
    case ElementwiseFunction::abs: return result("Abs", {x});
    case ElementwiseFunction::tanh: return result("Tanh", {x});
    case ElementwiseFunction::hard_sigmoid: return result("Div", {ramp(), number("six", 6)});
    case ElementwiseFunction::hard_swish: return result("Mul", {x, step("Div", {ramp(), number("six", 6)})});
    case ElementwiseFunction::leaky_relu: return result("PRelu", {x, number("slope", op.slope)});
    case ElementwiseFunction::pow: return result("Pow", {x, number("exponent", op.exponent)});
    case ElementwiseFunction::gelu: {  // x / 2 (1 + tanh(x (0.0357 x^2 + 0.798))): the operation Gelu is of opset 20
      const std::string square = step("Mul", {step("Mul", {x, x}), number("cubic", 0.0356774081F)});
      const std::string inner = step("Mul", {x, step("Add", {square, number("linear", 0.797884561F)})});
      const std::string share = step("Add", {step("Tanh", {inner}), number("one", 1)});
      return result("Mul", {step("Mul", {x, number("half", 0.5F)}), share});
    }
  }
  fail<InternalError>("ONNX: node \"", node.name, "\" has an unknown function");
}

void Exporter::emit(const GraphNode& node, const FloatSoftmax& op) {
  real_result(node, op.logarithm ? "LogSoftmax" : "Softmax", real_inputs(node),
              std::vector<Attribute>{{"axis", axis_of(-1, output_of(node).shape.rank())}});
}

void Exporter::emit(const GraphNode& node, const FloatAdd&) { real_result(node, "Add", real_inputs(node)); }

void Exporter::emit(const GraphNode& node, const FloatConcat& op) {
  real_result(node, "Concat", real_inputs(node),
              std::vector<Attribute>{{"axis", axis_of(op.axis, output_of(node).shape.rank())}});
}

}  // namespace bitgrad::onnx
