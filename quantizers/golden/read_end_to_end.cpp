#include <algorithm>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/golden/detail/read.hpp>

namespace bitgrad::golden::detail {
namespace {

/// One number for both directions, or two, each from `low` to 1000.
std::vector<Index> down_and_across(const Node& value, int low) {
  constexpr int high = 1000;
  if (!value.is_list()) return std::vector<Index>(2, value.integer(low, high));
  std::vector<Index> result;
  for (const Node& element : value.elements()) result.push_back(element.integer(low, high));
  if (result.size() != 2) value.wrong("one or two integers");
  return result;
}

/// What the layer makes of x.
Shape output_shape(const EndToEndCase& c, const Node& x) {
  const Shape in = c.x.shape(), weight = c.weight.shape();
  const int channels = c.convolution ? 1 : -1;
  if (c.x.size() == 0 || c.weight.size() == 0 || (c.convolution && in.rank() != 4) || in.rank() == 0 ||
      in[channels] != weight[1])
    fail<IoError>(x.string(), ": shape ", in, ", expected an input for weights of shape ", weight, " (", x.path(), ")");
  if (!c.convolution) return in.with(-1, weight[0]);
  const auto along = [&](int axis) {
    const auto i = static_cast<std::size_t>(axis - 2);
    return std::max<Index>((in[axis] + 2 * c.padding[i] - weight[axis]) / c.stride[i] + 1, 0);
  };
  return {in[0], weight[0], along(2), along(3)};
}

/// What a convolution has beyond the layer's own arguments must be without effect.
void refuse_unknown_arguments(const Node& arguments) {
  for (const auto& [key, value] : arguments.members()) {
    const bool one = (key == "dilation" || key == "groups") && value.dump() == "1";
    if (!one && key != "in_channels" && key != "out_channels" && key != "kernel" && key != "padding" && key != "stride")
      value.wrong("an argument that this program knows: in_channels, out_channels, kernel, padding, stride");
  }
}

std::optional<TrainableSpec> optional_spec(const Node& entry) {
  if (entry.is_null()) return {};
  return read_spec(entry, entry.at("class").string(), false);
}

std::optional<GoldenConversion> optional_conversion(const Node& converted, std::string_view key) {
  if (!converted.has(key) || converted.at(key).is_null()) return {};
  return read_conversion(converted.at(key));
}

GoldenParameter read_parameter(const Node& entry) {
  GoldenParameter result;
  result.name = entry.at("name").string();
  result.shape = entry.at("shape").shape();
  result.trainable = entry.at("trainable").boolean();
  if (!entry.at("init").is_null()) result.init = entry.at("init").numbers();
  if (!result.trainable) return result;
  result.offset = entry.at("offset").integer(0, std::numeric_limits<int>::max());
  result.count = entry.at("count").integer();
  if (result.count != result.shape.size())
    entry.at("count").wrong(message(result.shape.size(), ", the size of its shape"));
  return result;
}

/// Flat arrays that hold every trainable parameter.
Tensor read_flat(const Node& file, const std::vector<GoldenParameter>& parameters, const Arrays& arrays) {
  Index size = 0;
  for (const GoldenParameter& parameter : parameters) size += parameter.count;
  const Tensor flat = arrays.read(file, {size});
  for (const GoldenParameter& parameter : parameters)
    if (parameter.offset + parameter.count > size)
      fail<ValueError>(file.path(), ": ", parameter.name, " has elements ", parameter.offset, " to ",
                       parameter.offset + parameter.count, " of ", size);
  return flat;
}

}  // namespace

EndToEndCase read_end_to_end(const Node& entry, const Arrays& arrays) {
  EndToEndCase result;
  result.id = entry.at("id").string();
  const std::string op = entry.at("op").string();
  if (op != "linear" && op != "conv2d") entry.at("op").wrong("\"linear\" or \"conv2d\"");
  result.convolution = op == "conv2d";
  if (result.convolution) {
    const Node arguments = entry.at("op_args");
    refuse_unknown_arguments(arguments);
    result.stride = down_and_across(arguments.at("stride"), 1);
    result.padding = down_and_across(arguments.at("padding"), 0);
  }
  const Node quantizer = entry.at("weight_quantizer");
  result.weight_quantizer = read_spec(quantizer, quantizer.at("class").string(), true);
  result.input_holder = optional_spec(entry.at("input_holder"));
  result.output_holder = optional_spec(entry.at("output_holder"));

  result.weight = arrays.read(entry.at("weight"));
  const int rank = result.convolution ? 4 : 2;
  if (result.weight.rank() != rank)
    fail<IoError>(entry.at("weight").string(), ": shape ", result.weight.shape(), ", expected ", rank, " axes");
  if (!entry.at("bias").is_null()) result.bias = arrays.read(entry.at("bias"), {result.weight.dim(0)});
  result.x = arrays.read(entry.at("x"));
  result.y = arrays.read(entry.at("y"), output_shape(result, entry.at("x")));
  result.dy = arrays.read(entry.at("dy"), result.y.shape());
  result.dx = arrays.read(entry.at("dx"), result.x.shape());
  result.rtol = entry.at("rtol").number();
  result.atol = entry.at("atol").number();
  result.grad_rtol = entry.at("grad_rtol").number();
  result.grad_atol = entry.at("grad_atol").number();
  for (const Node& parameter : entry.at("parameters").elements())
    result.parameters.push_back(read_parameter(parameter));
  result.param_grads = read_flat(entry.at("param_grads"), result.parameters, arrays);

  const Node training = entry.at("training");
  result.learning_rate = training.at("lr").number();
  result.target = arrays.read(training.at("target"), result.y.shape());
  result.losses = training.at("losses").numbers();
  if (static_cast<Index>(result.losses.size()) != training.at("steps").integer())
    training.at("losses").wrong(message(training.at("steps").integer(), " losses, one before each step"));
  result.final_params = read_flat(training.at("final_params"), result.parameters, arrays);

  const Node converted = entry.at("converted");
  result.converted_weight = read_conversion(converted.at("weight"));
  result.converted_input = optional_conversion(converted, "input_holder");
  result.converted_output = optional_conversion(converted, "output_holder");
  result.output_after_conversion = arrays.read(entry.at("converted_output"), result.y.shape());
  result.conversion_sensitive = entry.at("converted_output_sensitive").boolean();
  return result;
}

}  // namespace bitgrad::golden::detail
