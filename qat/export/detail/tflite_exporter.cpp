#include <bitgrad/qat/export/detail/tflite_exporter.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/require_codes.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::tflite {

using flatbuffer::Table;

namespace {

/// What keeps an operation out of the file.
const char* why_not(const GraphOperation& operation) {
  if (std::holds_alternative<FloatNormalize>(operation))
    return "a normalization in float32, which stays outside of the integers that the file computes with: train the "
           "model without :normalized, or export it as ONNX, or as C, whose caller makes the codes of the input";
  if (std::holds_alternative<FloatConv2D>(operation) || std::holds_alternative<FloatDense>(operation))
    return "which computes on float32, because its weights or its input are not quantized; the file computes on codes: "
           "train with --weights and --activations for every layer";
  if (inference::is_float_operation(operation))
    return "which computes on float32; the file computes on codes, up to the logits";
  return "which the exporter does not write";
}

}  // namespace

std::vector<std::int32_t> with_batch(const Shape& shape) {
  std::vector<std::int32_t> result{1};
  for (const Index extent : shape.extents()) result.push_back(static_cast<std::int32_t>(extent));
  return result;
}

template <class Op>
void Exporter::emit(const GraphNode& node, const Op&) {
  refuse(node);
}

void Exporter::refuse(const GraphNode& node) {
  fail<NotImplementedError>("tflite: \"", node.name, "\" is ", name_of(node.operation), ", ", why_not(node.operation));
}

Model Exporter::run() {
  if (options_.pack != 8 && options_.pack != 4)
    fail<ValueError>("tflite: weights packed to ", options_.pack, " bits, expected 8 or 4");
  graph_.validate();
  check_tensors();
  require_codes(graph_, "tflite");
  describe();
  model_.input = number_of(graph_.input);
  for (const GraphNode& each : graph_.nodes) std::visit([&](const auto& op) { emit(each, op); }, each.operation);
  model_.outputs = {number_of(graph_.output)};
  for (std::size_t t = 0; options_.codes && t < graph_.tensors.size(); ++t)
    if (graph_.tensors[t].grid && static_cast<int>(t) != graph_.output)
      model_.outputs.push_back(number_of(static_cast<int>(t)));
  return std::move(model_);
}

void Exporter::check_tensors() const {
  for (const GraphTensor& each : graph_.tensors)
    if (each.grid && (each.grid->bits > 8 || each.grid->hi - each.grid->lo > 255))
      fail<NotImplementedError>("tflite: tensor \"", each.name, "\" has codes ", each.grid->lo, "..", each.grid->hi,
                                " (", each.grid->bits,
                                " bits); activations of TFLite's int8 operators have at most 8 bits");
  if (graph_.input == graph_.output)
    fail<NotImplementedError>("tflite: the graph computes nothing: its output is its input");
}

void Exporter::describe() {
  const auto name = graph_.metadata.find("model");
  model_.name = name == graph_.metadata.end() || name->second.empty() ? "bitgrad" : name->second;
  model_.description = "bitgrad: int8 codes, -128 is the lowest of its grid";
  for (const auto& [key, value] : graph_.metadata)
    if (!value.empty()) model_.metadata[key] = value;
  model_.metadata["requantization"] = name_of(graph_.mode);
}

Exporter::Number Exporter::add(Tensor tensor) {
  model_.tensors.push_back(std::move(tensor));
  return static_cast<Number>(model_.tensors.size() - 1);
}

Exporter::Number Exporter::number_of(int t) {
  Number& number = numbers_[static_cast<std::size_t>(t)];
  if (number >= 0) return number;
  const GraphTensor& source = tensor(t);
  Tensor result{source.name, Type::float32, with_batch(source.shape)};
  if (source.grid) {
    result.type = Type::int8;
    result.quantization = {{source.grid->scale[0]}, {stored(*source.grid, source.grid->zero_point[0])}, 0};
  }
  return number = add(std::move(result));
}

Exporter::Number Exporter::constant(const std::string& name, Type type, std::vector<std::int32_t> shape, io::Bytes data,
                                    Quantization quantization) {
  return add({name, type, std::move(shape), false, std::move(quantization), std::move(data)});
}

Exporter::Number Exporter::integers(const std::string& name, const std::vector<std::int32_t>& values,
                                    std::vector<std::int32_t> shape) {
  return constant(name, Type::int32, std::move(shape), bytes_of(values));
}

Exporter::Number Exporter::floats(const std::string& name, const std::vector<float>& values) {
  return constant(name, Type::float32, {static_cast<std::int32_t>(values.size())}, bytes_of(values));
}

void Exporter::node(Operator code, std::vector<Number> inputs, Number output, Options type, Table options) {
  model_.nodes.push_back({code, std::move(inputs), output, type, std::move(options)});
}

void Exporter::clamped(const GraphNode& node, std::int32_t lo, std::int32_t hi,
                       const std::function<void(Number)>& emit_into) {
  const GraphTensor& output = output_of(node);
  struct Bound {
    Operator code;
    const char* name;
    std::int32_t value;
  };
  std::vector<Bound> bounds;  // int8 itself is the bound of the others
  if (stored(*output.grid, lo) > -128) bounds.push_back({Operator::maximum, "lowest", stored(*output.grid, lo)});
  if (stored(*output.grid, hi) < 127) bounds.push_back({Operator::minimum, "highest", stored(*output.grid, hi)});
  const Number result = number_of(node.output);
  const Quantization quantization = model_.tensors[static_cast<std::size_t>(result)].quantization;
  const auto between = [&](const std::string& name) {
    return add({output.name + "/" + name, Type::int8, with_batch(output.shape), true, quantization});
  };
  Number x = bounds.empty() ? result : between("unclamped");
  emit_into(x);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto& [code, name, value] = bounds[i];
    const Number bound = constant(output.name + "/" + name, Type::int8, {1},
                                  bytes_of(std::vector{static_cast<std::int8_t>(value)}), quantization);
    const Number y = i + 1 == bounds.size() ? result : between("above");
    this->node(code, {x, bound}, y);
    x = y;
  }
}

}  // namespace bitgrad::tflite
