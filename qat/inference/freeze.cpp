// Recorded values to graph nodes. chains.cpp finds what is fused; here it is written down.
#include <bitgrad/qat/inference/detail/recorded.hpp>

#include <map>
#include <set>

#include <bitgrad/qat/inference/detail/chains.hpp>
#include <bitgrad/qat/inference/detail/integer_weights.hpp>
#include <bitgrad/qat/inference/detail/table.hpp>

namespace bitgrad::inference {
namespace {

class Freezer {
 public:
  Freezer(const std::vector<RecordedValue>& values, int output)
      : values_(values), chains_(values, output), tensor_of_(values.size(), -1) {}

  InferenceGraph run(int output) {
    for (int v = 0; v < static_cast<int>(values_.size()); ++v)
      if (chains_.emitted(v)) emit(v);
    graph_.output = tensor(output);
    graph_.validate();
    return std::move(graph_);
  }

 private:
  const RecordedValue& value(int v) const { return values_[static_cast<std::size_t>(v)]; }
  int& tensor(int v) { return tensor_of_[static_cast<std::size_t>(v)]; }
  const GraphTensor& tensor_at(int t) const { return graph_.tensors[static_cast<std::size_t>(t)]; }

  static std::string unique(std::set<std::string>& taken, const std::string& name) {
    std::string result = name;
    for (int i = 2; !taken.insert(result).second; ++i) result = message(name, "/", i);
    return result;
  }

  int add_tensor(const std::string& name, const Shape& shape, std::optional<Grid> grid) {
    graph_.tensors.push_back({unique(tensor_names_, name), shape, std::move(grid)});
    return static_cast<int>(graph_.tensors.size()) - 1;
  }
  void add_node(const std::string& name, GraphOperation operation, std::vector<int> inputs, int output) {
    graph_.nodes.push_back({unique(node_names_, name), std::move(operation), std::move(inputs), output});
  }

  /// The tensor of a value as float32.
  int as_float(int v) {
    const int source = tensor(v);
    if (!tensor_at(source).grid) return source;
    const auto [found, fresh] = dequantized_.try_emplace(source, -1);
    if (fresh) {
      const GraphTensor from = tensor_at(source);
      found->second = add_tensor(from.name + "/dequantized", from.shape, std::nullopt);
      add_node(from.name + "/dequantize", DequantizeOp{}, {source}, found->second);
    }
    return found->second;
  }

  void emit(int v) {
    const RecordedValue& recorded = value(v);
    if (const auto* quantize = recorded.as<RecordedQuantize>())
      emit_quantize(v, quantize->grid);
    else if (recorded.as<RecordedInput>())
      graph_.input = tensor(v) = add_tensor("input", recorded.shape, std::nullopt);
    else if (const std::optional<Chain> linear = chains_.float_fold(v))
      tensor(v) = add_integer(*linear, v, std::nullopt, {});
    else if (const auto* where = recorded.as<FloatWhere>(); where && chains_.grid(v))
      emit_where(v, where->mask);
    else if (chains_.grid(v))
      emit_move(v, tensor(recorded.inputs[0]));
    else
      emit_float(v);
  }

  void emit_quantize(int v, const Grid& grid) {
    const Chain* chain = chains_.behind(v);
    if (!chain) {
      tensor(v) = add_tensor(value(v).layer, value(v).shape, grid);
      add_node(value(v).layer, QuantizeOp{}, {as_float(value(v).inputs[0])}, tensor(v));
      return;
    }
    std::vector<int> moves;
    RealRange range;
    for (const int link : chain->links)
      if (const auto* clamp = value(link).as<FloatClamp>())
        range.clamp(clamp->low, clamp->high);
      else if (Chains::is_move(value(link)))
        moves.push_back(link);
    // With data moves behind it the operation gets a tensor of its own, named as the value that the first of them
    // reads.
    const int last = moves.empty() ? v : value(moves.front()).inputs[0];
    int result = chain->is_table ? add_table(*chain, last, grid) : add_integer(*chain, last, grid, range);
    for (std::size_t i = 0; i < moves.size(); ++i) {
      const std::string& name = i + 1 < moves.size() ? value(moves[i]).layer : value(v).layer;
      result = add_move(moves[i], name, result);
    }
    tensor(v) = result;
  }

  int add_integer(const Chain& chain, int last, const std::optional<Grid>& grid, const RealRange& range) {
    const RecordedValue& producer = value(chain.producer);
    std::vector<int> inputs;
    for (const int input : producer.inputs) inputs.push_back(tensor(input));
    const auto [lo, hi] = grid ? code_range(*grid, range) : std::pair{0, 0};
    GraphOperation operation;
    if (const auto* linear = producer.as<RecordedLinear>()) {
      const auto* bn = chain.batch_norm < 0 ? nullptr : value(chain.batch_norm).as<RecordedBatchNorm>();
      IntegerWeights weights = integer_weights(producer.layer, *linear, bn, *tensor_at(inputs[0]).grid, grid, range);
      if (linear->convolution)
        operation = IntegerConv2D{*linear->convolution, std::move(weights)};
      else
        operation = IntegerDense{std::move(weights)};
    } else if (producer.as<FloatAdd>()) {
      operation = IntegerAdd{lo, hi};
    } else if (const auto* joined = producer.as<FloatConcat>()) {
      operation = IntegerConcat{joined->axis, lo, hi};
    } else if (const auto* pool = producer.as<FloatAveragePool2D>()) {
      operation = IntegerAveragePool2D{pool->window, pool->stride, pool->padding, lo, hi};
    } else {
      operation = IntegerGlobalAveragePool2D{lo, hi};
    }
    const int result = add_tensor(value(last).layer, producer.shape, grid);
    add_node(producer.layer, std::move(operation), std::move(inputs), result);
    return result;
  }

  int add_table(const Chain& chain, int last, const Grid& grid) {
    std::vector<const RecordedValue*> functions;
    for (const int link : chain.links)
      if (!Chains::is_move(value(link))) functions.push_back(&value(link));
    const int source = tensor(chain.producer);
    IntegerTable table = integer_table(functions, *tensor_at(source).grid, grid, value(last).layer);
    const int result = add_tensor(value(last).layer, value(chain.producer).shape, grid);
    add_node(functions.empty() ? value(last).layer : functions.front()->layer, std::move(table), {source}, result);
    return result;
  }

  int add_move(int v, const std::string& name, int source) {
    const int result = add_tensor(name, value(v).shape, tensor_at(source).grid);
    GraphOperation operation;
    if (const auto* pool = value(v).as<MaxPool2DOp>())
      operation = *pool;
    else if (const auto* pad = value(v).as<Pad2DOp>())
      operation = *pad;
    else if (const auto* upsample = value(v).as<Upsample2DOp>())
      operation = *upsample;
    else if (const auto* zeros = value(v).as<InsertZeros2DOp>())
      operation = *zeros;
    else
      operation = ReshapeOp{};
    add_node(value(v).layer, std::move(operation), {source}, result);
    return result;
  }
  void emit_move(int v, int source) { tensor(v) = add_move(v, value(v).layer, source); }

  /// Between codes of one grid.
  void emit_where(int v, const Tensor& mask) {
    const int a = tensor(value(v).inputs[0]), b = tensor(value(v).inputs[1]);
    tensor(v) = add_tensor(value(v).layer, value(v).shape, tensor_at(a).grid);
    add_node(value(v).layer, WhereOp{mask.clone()}, {a, b}, tensor(v));
  }

  void emit_float(int v) {
    const RecordedValue& recorded = value(v);
    if (Chains::is_move(recorded) || Chains::brings_zeros(recorded)) return emit_move(v, tensor(recorded.inputs[0]));
    std::vector<int> inputs;
    for (const int input : recorded.inputs) inputs.push_back(as_float(input));
    tensor(v) = add_tensor(recorded.layer, recorded.shape, std::nullopt);
    add_node(recorded.layer, float_operation(recorded), std::move(inputs), tensor(v));
  }

  const std::vector<RecordedValue>& values_;
  Chains chains_;
  InferenceGraph graph_;
  std::vector<int> tensor_of_;      ///< by value number
  std::map<int, int> dequantized_;  ///< tensor with a grid to its float32 twin
  std::set<std::string> tensor_names_, node_names_;
};

}  // namespace

InferenceGraph freeze(const std::vector<RecordedValue>& values, int output) {
  return Freezer(values, output).run(output);
}

}  // namespace bitgrad::inference
