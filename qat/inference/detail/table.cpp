#include <bitgrad/qat/inference/detail/table.hpp>

#include <algorithm>
#include <numeric>

#include <bitgrad/qat/inference/detail/float_operations.hpp>
#include <bitgrad/qat/inference/detail/integer_weights.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>

namespace bitgrad::inference {
namespace {

constexpr Index most_entries = Index{1} << 20;

/// 1, or the number of channels that the function treats apart.
Index channels_of(const RecordedValue& value) {
  if (const auto* bn = value.as<RecordedBatchNorm>()) return bn->gamma.size();
  if (const auto* normalize = value.as<FloatNormalize>())
    return std::max(normalize->mean.size(), normalize->deviation.size());
  return 1;
}

Index channels_of(const std::vector<const RecordedValue*>& functions) {
  Index channels = 1;
  for (const RecordedValue* function : functions) channels = std::max(channels, channels_of(*function));
  return channels;
}

Index entries_of(const Grid& grid) { return static_cast<Index>(grid.hi) - grid.lo + 1; }

std::string label(const std::vector<const RecordedValue*>& functions) {
  std::string text;
  for (const RecordedValue* function : functions) {
    const auto* elementwise = function->as<FloatElementwise>();
    const std::string_view name = elementwise                         ? name_of(elementwise->function)
                                  : function->as<FloatClamp>()        ? "clamp"
                                  : function->as<RecordedBatchNorm>() ? "batch_norm"
                                                                      : "normalize";
    text.append(text.empty() ? "" : ",").append(name);
  }
  return text.empty() ? "requantize" : text;
}

Tensor copy_of(const Tensor& tensor) { return tensor.defined() ? tensor.clone() : Tensor(); }

}  // namespace

bool is_element_function(const RecordedValue& value) {
  return value.as<FloatClamp>() || value.as<FloatElementwise>() || value.as<FloatNormalize>() ||
         value.as<RecordedBatchNorm>();
}

GraphOperation float_operation(const RecordedValue& value) {
  return std::visit(
      [&]<class Op>(const Op& op) -> GraphOperation {
        if constexpr (std::is_same_v<Op, RecordedLinear>) {
          const Tensor kernel = op.grid ? values_of(op.codes, *op.grid) : op.kernel.clone();
          if (op.convolution) return FloatConv2D{*op.convolution, kernel, copy_of(op.bias)};
          return FloatDense{kernel, copy_of(op.bias)};
        } else if constexpr (std::is_same_v<Op, RecordedBatchNorm>) {
          return float_batch_norm(op);
        } else if constexpr (std::is_same_v<Op, FloatNormalize>) {
          return FloatNormalize{op.mean.clone(), op.deviation.clone()};
        } else if constexpr (std::is_same_v<Op, FloatLayerNorm>) {
          return FloatLayerNorm{op.gamma.clone(), op.beta.clone(), op.epsilon};
        } else if constexpr (std::is_same_v<Op, FloatWhere>) {
          return FloatWhere{op.mask.clone()};
        } else if constexpr (std::is_constructible_v<GraphOperation, Op>) {
          return op;
        } else {
          fail<InternalError>("float_operation: layer \"", value.layer, "\" is no operation on float32");
        }
      },
      value.operation);
}

bool table_fits(const std::vector<const RecordedValue*>& functions, const Grid& from) {
  return channels_of(functions) * entries_of(from) <= most_entries;
}

IntegerTable integer_table(const std::vector<const RecordedValue*>& functions, const Grid& from, const Grid& to,
                           const std::string& layer) {
  const Index channels = channels_of(functions), entries = entries_of(from);
  Tensor values({entries, channels});
  for (Index i = 0; i < entries; ++i)
    for (Index c = 0; c < channels; ++c)
      values.at<float>({i, c}) = static_cast<float>(from.lo + i - from.zero_point[0]) * from.scale[0];
  for (const RecordedValue* function : functions)
    values = run_float(float_operation(*function), {layer, {channels}, std::nullopt}, {&values, 1});
  const Tensor codes = codes_of(values, to, message("layer \"", layer, "\": table"));
  IntegerTable table{Tensor(channels == 1 ? Shape{entries} : Shape{channels, entries}, DType::int32), label(functions)};
  for (Index i = 0; i < entries; ++i)
    for (Index c = 0; c < channels; ++c)
      table.codes.data<std::int32_t>()[c * entries + i] = codes.at<std::int32_t>({i, c});
  return table;
}

}  // namespace bitgrad::inference
