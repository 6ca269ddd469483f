#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/golden/detail/read.hpp>

namespace bitgrad::golden::detail {
namespace {

/// Activations are channels first in the reference, which looks at axis 1.
constexpr int reference_channels_axis = 1;

/// A number, true or false, or {"shape", "data"}.
Tensor parameter(const Node& value) {
  if (value.has("shape")) return Tensor::from(value.at("shape").shape(), value.at("data").numbers());
  if (value.dump() == "true" || value.dump() == "false") return Tensor::scalar(value.boolean(), DType::float64);
  return Tensor::scalar(value.number(), DType::float64);
}

/// Bits and axes, those included that are to be refused.
int any_int(const Node& value) {
  return value.integer(std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
}

std::optional<int> optional_axis(const Node& arguments) {
  const bool per_channel = arguments.has("per_channel") && arguments.at("per_channel").boolean();
  if (!per_channel) return {};
  return any_int(arguments.at("channel_axis"));
}

bool has_tag(const Node& entry, std::string_view tag) {
  const auto tags = entry.at("tags").elements();
  return std::any_of(tags.begin(), tags.end(), [&](const Node& each) { return each.string() == tag; });
}

GoldenVariable read_variable(const Node& entry, const Arrays& arrays) {
  GoldenVariable result;
  result.key = entry.at("name").string();
  result.registered_as = entry.at("registered_as").string();
  result.trainable = entry.at("trainable").boolean();
  result.shape = entry.at("shape").shape();
  result.init = entry.at("init").numbers();
  if (!entry.at("grad").is_null()) result.gradient = arrays.read(entry.at("grad"), {result.shape.size()});
  result.tolerance = numbers_at(entry, "atol");
  return result;
}

}  // namespace

Tensor Arrays::read(const Node& file) const {
  const std::filesystem::path name = file.string(), path = directory_ / name;
  if (name.is_absolute() || std::ranges::find(name, "..") != name.end())
    file.wrong("a file in the manifest's directory");
  try {
    const Tensor tensor = read_(path);
    if (tensor.dtype() != DType::float32)
      fail<IoError>(path.string(), ": dtype is ", tensor.dtype(), ", expected float32");
    return tensor;
  } catch (const IoError& error) {
    fail<IoError>(error.what(), " (", file.path(), ")");
  }
}

Tensor Arrays::read(const Node& file, const Shape& shape) const {
  Tensor tensor = read(file);
  if (tensor.shape() != shape)
    fail<IoError>((directory_ / file.string()).string(), ": shape ", tensor.shape(), ", expected ", shape, " (",
                  file.path(), ")");
  return tensor;
}

QuantizationTarget target_of(const Node& entry) {
  const std::string target = entry.at("target").string();
  if (target == "Weights") return QuantizationTarget::Weights;
  if (target == "Activation") return QuantizationTarget::Activation;
  entry.at("target").wrong("\"Weights\" or \"Activation\"");
}

QuantizationMethod method_of(const Node& entry) { return parse_method(entry.at("method").string()); }

std::string identifier_of(const Node& entry) {
  std::string name = entry.at("training_method").string();
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return "mct-" + name;
}

std::vector<double> numbers_at(const Node& object, std::string_view key) {
  return object.has(key) ? object.at(key).numbers() : std::vector<double>{};
}

std::string with_class(const Node& class_name, const Node& arguments) {
  std::string json = "{\"class\":" + class_name.dump();
  for (const auto& [key, value] : arguments.members()) json += message(",\"", key, "\":", value.dump());
  return json + "}";
}

TrainableSpec read_spec(const Node& entry, const std::string& class_name, bool weights) {
  TrainableSpec spec{.class_name = class_name, .weights = weights, .weights_config = {}, .activation_config = {}};
  BaseQuantizerConfig config;
  config.method = method_of(entry);
  config.n_bits = any_int(entry.at("n_bits"));
  for (const auto& [key, value] : entry.at("quantization_params").members())
    config.quantization_params[key] = parameter(value);
  static_cast<BaseQuantizerConfig&>(spec.weights_config) = config;
  static_cast<BaseQuantizerConfig&>(spec.activation_config) = config;
  spec.activation_config.channels_axis = reference_channels_axis;
  if (entry.has("channels_axis")) spec.weights_config.weights_channels_axis = any_int(entry.at("channels_axis"));
  spec.weights_config.weights_per_channel_threshold = entry.has("per_channel") && entry.at("per_channel").boolean();
  spec.freeze = entry.has("freeze_quant_params") && entry.at("freeze_quant_params").boolean();
  return spec;
}

GoldenConversion read_conversion(const Node& entry) {
  GoldenConversion result;
  result.refused = entry.has("error");
  if (result.refused) return result;
  result.class_name = entry.at("class").string();
  const Node arguments = entry.at("params");
  result.num_bits = arguments.at("num_bits").integer(1, 16);
  result.channel_axis = optional_axis(arguments);
  result.threshold = numbers_at(arguments, "threshold");
  if (!result.threshold.empty()) result.json = with_class(entry.at("class"), arguments);
  result.scale = numbers_at(arguments, "scale");
  result.zero_point = numbers_at(arguments, "zero_point");
  return result;
}

InferableCase read_inferable(const Node& entry, const Arrays& arrays) {
  const Node derived = entry.at("derived");
  InferableCase result;
  result.id = entry.at("id").string();
  result.class_name = entry.at("class").string();
  result.json = with_class(entry.at("class"), entry.at("params"));
  const Shape shape = entry.at("shape").shape();
  result.input = arrays.read(entry.at("input"), shape);
  const Tensor outputs = arrays.read(entry.at("output"));
  const Index slice = entry.at("output_index").integer();
  if (outputs.rank() != shape.rank() + 1 || outputs.shape().without_front() != shape)
    fail<IoError>(entry.at("output").string(), ": shape ", outputs.shape(), ", expected a stack of ", shape, " (",
                  entry.path(), ")");
  if (slice < 0 || slice >= outputs.dim(0))
    entry.at("output_index").wrong(message("0 to ", outputs.dim(0) - 1, ", as ", entry.at("output").string(), " has"));
  result.output = outputs.rows(slice, slice + 1).reshape(shape);
  result.scale = numbers_at(derived, "scale");
  result.min_range = numbers_at(derived, "min_range");
  result.max_range = numbers_at(derived, "max_range");
  result.zero_point = numbers_at(derived, "zero_point");
  result.zero_point_if_rounded = numbers_at(derived, "zero_point_if_rounded");
  if (derived.has("quant_min")) result.lo = derived.at("quant_min").number();
  if (derived.has("quant_max")) result.hi = derived.at("quant_max").number();
  result.ulp_sensitive = entry.at("ulp_sensitive").integers();
  result.platform_defined = entry.at("platform_defined").integers();
  for (const std::vector<Index>* list : {&result.ulp_sensitive, &result.platform_defined})
    for (const Index i : *list)
      if (i < 0 || i >= shape.size())
        fail<ValueError>(entry.path(), ": element ", i, " of ", shape.size(), " is listed");
  return result;
}

TrainableCase read_trainable(const Node& entry, const Arrays& arrays) {
  TrainableCase result;
  result.id = entry.at("id").string();
  result.identifier = identifier_of(entry);
  result.quantizer = read_spec(entry, entry.at("class").string(), target_of(entry) == QuantizationTarget::Weights);
  result.special_values = has_tag(entry, "special_values");
  const Node factor = entry.at("lsq_scale_factor");
  result.infinite_gradient_scale = !factor.is_null() && std::isinf(factor.number());
  const Shape shape = entry.at("shape").shape();
  result.x = arrays.read(entry.at("x"), shape);
  result.dy = arrays.read(entry.at("dy"), shape);
  result.y = arrays.read(entry.at("y"), shape);
  result.dx = arrays.read(entry.at("dx"), shape);
  for (const Node& variable : entry.at("variables").elements())
    result.variables.push_back(read_variable(variable, arrays));
  result.conversion = read_conversion(entry.at("inferable"));
  if (!result.conversion.refused) result.conversion.output = arrays.read(entry.at("inferable").at("output"), shape);
  return result;
}

}  // namespace bitgrad::golden::detail
