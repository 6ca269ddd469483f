#include <bitgrad/qat/export/detail/onnx_exporter.hpp>

#include <algorithm>

#include <bitgrad/qat/export/detail/onnx_layout.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::onnx {
namespace {

/// The IR version that introduced what the opset needs, which is also what released runtimes of that opset read.
int ir_version_of(int opset) { return opset == 13 ? 8 : opset == 21 ? 10 : 13; }

}  // namespace

Exporter::Exporter(const InferenceGraph& graph, const OnnxOptions& options)
    : graph_(graph),
      options_(options),
      codes_(graph.tensors.size()),
      reals_(graph.tensors.size()),
      grids_(graph.tensors.size()) {}

Model Exporter::run() {
  graph_.validate();
  check_tensors();
  describe();
  declare_input_and_output();
  for (const GraphNode& node : graph_.nodes) std::visit([&](const auto& op) { emit(node, op); }, node.operation);
  if (tensor(graph_.output).grid) real_of(graph_.output);
  return std::move(model_);
}

// ---- the whole ----

void Exporter::check_tensors() const {
  if (graph_.mode != RequantizationMode::ort)
    fail<NotImplementedError>("onnx: the graph requantizes by \"", name_of(graph_.mode),
                              "\"; ONNX Runtime's kernels requantize by \"ort\" alone");
  for (const GraphTensor& tensor : graph_.tensors)
    if (tensor.grid && (tensor.grid->bits > 8 || tensor.grid->hi - tensor.grid->lo > 255))
      fail<NotImplementedError>("onnx: tensor \"", tensor.name, "\" has codes ", tensor.grid->lo, "..", tensor.grid->hi,
                                " (", tensor.grid->bits,
                                " bits); the integer kernels of ONNX Runtime take at most 8 bits");
  if (graph_.input == graph_.output)
    fail<NotImplementedError>("onnx: the graph computes nothing: its output is its input");
}

void Exporter::declare_input_and_output() {
  for (std::size_t t = 0; t < graph_.tensors.size(); ++t) {
    builder_.reserve(graph_.tensors[t].name);
    if (!graph_.tensors[t].grid) continue;
    codes_[t] = graph_.tensors[t].name + "/codes";
    builder_.reserve(codes_[t]);
  }
  const GraphTensor &input = tensor(graph_.input), &output = tensor(graph_.output);
  reals_[static_cast<std::size_t>(graph_.input)] = input.name;
  model_.inputs.push_back({input.name, Type::float32, dims_of(input.shape)});
  model_.outputs.push_back({output.name, Type::float32, dims_of(output.shape)});
  for (std::size_t t = 0; options_.codes && t < graph_.tensors.size(); ++t)
    if (!codes_[t].empty()) model_.outputs.push_back({codes_[t], Type::uint8, dims_of(graph_.tensors[t].shape)});
}

void Exporter::describe() {
  model_.ir_version = ir_version_of(options_.opset);
  model_.opset = options_.opset;
  const auto name = graph_.metadata.find("model");
  model_.graph_name = name == graph_.metadata.end() || name->second.empty() ? "bitgrad" : name->second;
  model_.doc =
      "Integer codes between QuantizeLinear and DequantizeLinear; an activation's code 0 is the lowest of its grid.";
  model_.metadata = graph_.metadata;
  model_.metadata["bitgrad.layout"] = "NCHW";
  model_.metadata["bitgrad.requantization"] = "ort";
  std::string bits;
  for (const GraphNode& node : graph_.nodes)
    if (const IntegerWeights* weights = inference::integer_weights(node.operation))
      bits += message(bits.empty() ? "" : ", ", node.name, " ", weights->grid.bits);
  model_.metadata["bitgrad.weight_bits"] = bits;
  bits.clear();
  for (const GraphTensor& each : graph_.tensors)
    if (each.grid) bits += message(bits.empty() ? "" : ", ", each.name, " ", each.grid->bits);
  model_.metadata["bitgrad.activation_bits"] = bits;
}

// ---- tensors ----

std::pair<std::string, std::string> Exporter::grid_of(int t) {
  auto& names = grids_[static_cast<std::size_t>(t)];
  if (names.first.empty()) {
    const GraphTensor& source = tensor(t);
    const std::string prefix = source.name + "/";
    names = {builder_.floats(prefix + "scale", {source.grid->scale[0]}, {}),
             builder_.scalar(prefix + "zero_point", source.grid->zero_point[0] - source.grid->lo, Type::uint8)};
  }
  return names;
}

Wire Exporter::dequantize(int t, const std::string& name) {
  const auto [scale, zero_point] = grid_of(t);
  return builder_.define(name, tensor(t).name, "DequantizeLinear", {codes_of(t), scale, zero_point}, Type::float32,
                         dims_of(tensor(t).shape), {{"axis", Index{1}}});
}

std::string Exporter::real_of(int t) {
  std::string& real = reals_[static_cast<std::size_t>(t)];
  if (real.empty()) real = dequantize(t, tensor(t).name).name;
  return real;
}

std::vector<std::string> Exporter::real_inputs(const GraphNode& node) {
  std::vector<std::string> names;
  for (const int input : node.inputs) names.push_back(real_of(input));
  return names;
}

// ---- results ----

Wire Exporter::real_result(const GraphNode& node, const std::string& operation, std::vector<std::string> inputs,
                           Dims dims, std::vector<Attribute> attributes) {
  const GraphTensor& output = output_of(node);
  if (output.grid)
    return builder_.add(node.name, operation, std::move(inputs), Type::float32, std::move(dims), std::move(attributes));
  reals_[static_cast<std::size_t>(node.output)] = output.name;
  return builder_.define(output.name, node.name, operation, std::move(inputs), Type::float32, std::move(dims),
                         std::move(attributes));
}

Wire Exporter::real_result(const GraphNode& node, const std::string& operation, std::vector<std::string> inputs,
                           std::vector<Attribute> attributes) {
  return real_result(node, operation, std::move(inputs), dims_of(output_of(node).shape), std::move(attributes));
}

void Exporter::quantize(const Wire& real, int t, std::int32_t lo, std::int32_t hi) {
  const GraphTensor& output = tensor(t);
  const auto [scale, zero_point] = grid_of(t);
  const std::vector<std::string> inputs{real.name, scale, zero_point};
  const std::vector<Attribute> axis{{"axis", Index{1}}};
  lo -= output.grid->lo;
  hi -= output.grid->lo;
  if (lo == 0 && hi == 255) {
    builder_.define(codes_of(t), output.name, "QuantizeLinear", inputs, Type::uint8, real.dims, axis);
    return;
  }
  const Wire wide = builder_.add(output.name, "QuantizeLinear", inputs, Type::uint8, real.dims, axis);
  const std::string low = builder_.scalar(output.name + "/Clip/min", lo, Type::uint8);
  const std::string high = builder_.scalar(output.name + "/Clip/max", hi, Type::uint8);
  builder_.define(codes_of(t), output.name, "Clip", {wide.name, low, high}, Type::uint8, real.dims);
}

void Exporter::quantize_moved(const Wire& real, const GraphNode& node) {
  const GraphTensor& output = output_of(node);
  if (!output.grid) return;
  const auto [scale, zero_point] = grid_of(node.output);
  builder_.define(codes_of(node.output), output.name, "QuantizeLinear", {real.name, scale, zero_point}, Type::uint8,
                  real.dims, {{"axis", Index{1}}});
}

// ---- weights ----

StoredWeights Exporter::stored(const GraphNode& node, const IntegerWeights& weights) const {
  const Grid& grid = *tensor(node.inputs[0]).grid;
  return stored_weights(node, weights, grid.hi - grid.lo, options_.weights);
}

std::string Exporter::stored_codes(const std::string& name, const StoredWeights& stored) {
  const std::optional<PackedCodes> packed = pack_codes(stored.codes, options_.pack);
  if (!packed)
    return builder_.initializer(name + "/codes", stored.type, stored.dims, raw_codes(stored.codes, stored.type));
  const std::string indices = builder_.initializer(name + "/indices", packed->type, stored.dims, packed->indices);
  const std::string table = builder_.initializer(
      name + "/table", stored.type, {static_cast<Index>(packed->table.size())}, raw_codes(packed->table, stored.type));
  const std::string wide = builder_.add_constant(name + "/Cast", name, "Cast", {indices}, Type::int32, stored.dims,
                                                 {{"to", static_cast<Index>(Type::int32)}});
  return builder_.add_constant(name + "/codes", name, "Gather", {table, wide}, stored.type, stored.dims,
                               {{"axis", Index{0}}});
}

std::string Exporter::kernel(const GraphNode& node, const IntegerWeights& weights) {
  const StoredWeights stored = this->stored(node, weights);
  const std::string name = node.name + "/kernel";
  const bool per_channel = stored.scales.size() > 1 || weights.grid.per_channel();
  const Dims dims = per_channel ? Dims{static_cast<Index>(stored.scales.size())} : Dims{};
  const std::string codes = stored_codes(name, stored);
  const std::string scale = builder_.floats(name + "/scale", stored.scales, dims);
  const std::string zero_point =
      builder_.initializer(name + "/zero_point", stored.type, dims, raw_codes(stored.zero_points, stored.type));
  return builder_.add_constant(name, name, "DequantizeLinear", {codes, scale, zero_point}, Type::float32, stored.dims,
                               {{"axis", Index{0}}});
}

std::string Exporter::bias(const GraphNode& node, const IntegerWeights& weights) {
  const std::string name = node.name + "/bias";
  const float input_scale = tensor(node.inputs[0]).grid->scale[0];
  std::vector<float> scales;
  for (const float scale : weights.grid.scale) scales.push_back(input_scale * scale);
  const Dims all{weights.bias.size()}, dims = weights.grid.per_channel() ? all : Dims{};
  const auto codes = weights.bias.span<std::int32_t>();
  const std::string stored = builder_.initializer(name + "/codes", Type::int32, all,
                                                  raw<std::int32_t>(std::vector(codes.begin(), codes.end())));
  const std::string scale = builder_.floats(name + "/scale", scales, dims);
  const std::string zero_point = builder_.initializer(name + "/zero_point", Type::int32, dims,
                                                      raw<std::int32_t>(std::vector<std::int32_t>(scales.size(), 0)));
  return builder_.add_constant(name, name, "DequantizeLinear", {stored, scale, zero_point}, Type::float32, all,
                               {{"axis", Index{0}}});
}

}  // namespace bitgrad::onnx
