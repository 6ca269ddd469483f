#include <bitgrad/qat/inference/detail/names.hpp>

#include <array>

namespace bitgrad {
namespace {

// In the order of GraphOperation.
constexpr std::array<std::string_view, std::variant_size_v<GraphOperation>> operation_names = {
    "integer_conv2d",
    "integer_dense",
    "integer_add",
    "integer_concat",
    "integer_average_pool2d",
    "integer_global_average_pool2d",
    "integer_table",
    "quantize",
    "dequantize",
    "max_pool2d",
    "reshape",
    "pad2d",
    "float_conv2d",
    "float_dense",
    "float_batch_norm",
    "float_normalize",
    "float_average_pool2d",
    "float_global_average_pool2d",
    "float_clamp",
    "float_elementwise",
    "float_softmax",
    "float_add",
    "float_concat",
    "float_layer_norm",
    "upsample2d",
    "float_upsample2d",
    "insert_zeros2d",
    "where",
    "float_where"};

constexpr std::array<std::string_view, 11> function_names = {
    "sigmoid", "exp", "log", "sqrt", "abs", "tanh", "gelu", "hard_sigmoid", "hard_swish", "leaky_relu", "pow"};

}  // namespace

std::string_view name_of(const GraphOperation& operation) { return operation_names.at(operation.index()); }

namespace inference {

std::string_view name_of(ElementwiseFunction function) { return function_names.at(static_cast<std::size_t>(function)); }

std::optional<ElementwiseFunction> elementwise_function(std::string_view name) {
  for (std::size_t i = 0; i < function_names.size(); ++i)
    if (function_names[i] == name) return static_cast<ElementwiseFunction>(i);
  return std::nullopt;
}

bool is_float_operation(const GraphOperation& operation) { return bitgrad::name_of(operation).starts_with("float_"); }

bool moves_data(const GraphOperation& operation) {
  return std::holds_alternative<MaxPool2DOp>(operation) || std::holds_alternative<ReshapeOp>(operation) ||
         std::holds_alternative<Pad2DOp>(operation) || std::holds_alternative<Upsample2DOp>(operation) ||
         std::holds_alternative<InsertZeros2DOp>(operation) || std::holds_alternative<WhereOp>(operation);
}

}  // namespace inference
}  // namespace bitgrad
