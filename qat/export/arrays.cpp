#include <bitgrad/qat/export/arrays.hpp>

#include <nlohmann/json.hpp>

#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/qat/export/detail/bits.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad {
namespace {

using Json = nlohmann::ordered_json;

/// Codes in the smallest dtype that holds lo..hi.
Tensor narrow(const Tensor& codes, std::int32_t lo, std::int32_t hi) {
  if (lo >= -128 && hi <= 127) return codes.to(DType::int8);
  return lo >= 0 && hi <= 255 ? codes.to(DType::uint8) : codes;
}

template <class T>
Tensor list(const std::vector<T>& values) {
  return Tensor::from({static_cast<Index>(values.size())}, values);
}

/// Collects the arrays of one graph.
class Collector {
 public:
  explicit Collector(const InferenceGraph& graph) : graph_(graph) {}

  GraphArrays run() {
    result_.metadata = graph_.metadata;
    result_.metadata["format"] = "bitgrad.arrays";
    result_.metadata["version"] = "1";
    result_.metadata["requantization"] = std::string(name_of(graph_.mode));
    for (const GraphTensor& tensor : graph_.tensors)
      if (tensor.grid) add_grid(tensor.name, *tensor.grid);
    for (const GraphNode& node : graph_.nodes) std::visit([&](const auto& op) { add(node, op); }, node.operation);
    return std::move(result_);
  }

 private:
  void array(const std::string& name, Tensor tensor) { result_.tensors.add(name, std::move(tensor)); }
  void optional(const std::string& name, const Tensor& tensor) {
    if (tensor.defined()) array(name, tensor);
  }
  const GraphTensor& tensor(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }

  void add_grid(const std::string& name, const Grid& grid) {
    array(name + ".scale", list(grid.scale));
    array(name + ".zero_point", list(grid.zero_point));
    array(name + ".range", list(std::vector<std::int32_t>{grid.lo, grid.hi}));
  }

  void add_weights(const GraphNode& node, const IntegerWeights& weights) {
    const std::string kernel = node.name + ".kernel";
    const Grid& grid = weights.grid;
    array(kernel, values_of(weights.codes, grid));
    array(kernel + ".codes", narrow(weights.codes, grid.lo, grid.hi));
    if (grid.bits < 8)
      array(kernel + ".packed", list(pack_bits(weights.codes.span<std::int32_t>(), grid.lo, grid.bits)));
    add_grid(kernel, grid);
    const float input_scale = tensor(node.inputs[0]).grid->scale[0];
    Tensor bias(weights.bias.shape());
    for (Index c = 0; c < bias.size(); ++c) {
      const float scale = input_scale * grid.scale[grid.scale.size() == 1 ? 0 : static_cast<std::size_t>(c)];
      bias.data<float>()[c] = static_cast<float>(weights.bias.data<std::int32_t>()[c]) * scale;
    }
    array(node.name + ".bias", bias);
    array(node.name + ".bias.codes", weights.bias);
    array(node.name + ".multiplier", list(weights.multiplier));
    if (tensor(node.output).grid)
      array(node.name + ".clamp", list(std::vector<std::int32_t>{weights.clamp_lo, weights.clamp_hi}));
    result_.metadata[kernel] = Json{
        {"bits", grid.bits},
        {"lowest", grid.lo},
        {"highest", grid.hi},
        {"layout", weights.codes.rank() == 4 ? "HWIO" : "IO"},
        {"input", tensor(node.inputs[0]).name},
        {"output",
         tensor(node.output).name}}.dump();
  }

  void add(const GraphNode& node, const IntegerConv2D& op) { add_weights(node, op.weights); }
  void add(const GraphNode& node, const IntegerDense& op) { add_weights(node, op.weights); }
  void add(const GraphNode& node, const IntegerTable& op) {
    const Grid& grid = *tensor(node.output).grid;
    array(node.name + ".table", narrow(op.codes, grid.lo, grid.hi));
  }
  template <class Op>
  requires(std::is_same_v<Op, FloatConv2D> || std::is_same_v<Op, FloatDense>) void add(const GraphNode& node,
                                                                                       const Op& op) {
    array(node.name + ".kernel", op.kernel);
    optional(node.name + ".bias", op.bias);
  }
  void add(const GraphNode& node, const FloatBatchNorm& op) {
    array(node.name + ".gain", op.gain);
    array(node.name + ".offset", op.offset);
  }
  void add(const GraphNode& node, const FloatNormalize& op) {
    array(node.name + ".mean", op.mean);
    array(node.name + ".deviation", op.deviation);
  }
  void add(const GraphNode& node, const FloatLayerNorm& op) {
    array(node.name + ".gamma", op.gamma);
    array(node.name + ".beta", op.beta);
  }
  void add(const GraphNode& node, const WhereOp& op) { array(node.name + ".mask", op.mask); }
  void add(const GraphNode& node, const FloatWhere& op) { array(node.name + ".mask", op.mask); }
  template <class Op>
  void add(const GraphNode&, const Op&) {}  // no arrays

  const InferenceGraph& graph_;
  GraphArrays result_;
};

}  // namespace

GraphArrays export_arrays(const InferenceGraph& graph) { return Collector(graph).run(); }

io::Bytes format_npz(const GraphArrays& arrays) {
  NamedTensors tensors = arrays.tensors;
  const std::string text = Json(arrays.metadata).dump();
  tensors.add("__metadata__", list(std::vector<std::uint8_t>(text.begin(), text.end())));
  return io::format_npz(tensors);
}

io::Bytes format_safetensors(const GraphArrays& arrays) {
  return io::format_safetensors(arrays.tensors, arrays.metadata);
}

void write_npz(const io::Path& path, const GraphArrays& arrays) { io::write_file_atomically(path, format_npz(arrays)); }

void write_safetensors(const io::Path& path, const GraphArrays& arrays) {
  io::write_file_atomically(path, format_safetensors(arrays));
}

}  // namespace bitgrad
