#include <bitgrad/quantizers/detail/config_json.hpp>

#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad::detail {
namespace {

std::string json_of(const Tensor& param) {
  const Tensor values = param.to(DType::float64);
  const auto extents = values.shape().extents();
  const auto elements = values.span<double>();
  return JsonWriter()
      .add("shape", std::vector<std::int64_t>(extents.begin(), extents.end()))
      .add("data", std::vector<double>(elements.begin(), elements.end()))
      .text();
}

Tensor param_from(std::string_view json, const std::string& what) {
  JsonReader reader(json, what);
  const std::vector<std::int64_t> shape = reader.integers("shape");
  const std::vector<double> data = reader.numbers("data");
  reader.finish();
  try {
    return Tensor::from(Shape(shape), data);
  } catch (const ShapeError& error) {
    fail<ValueError>(what, ": ", error.what());
  }
}

std::string json_of(const QuantizationParams& params) {
  JsonWriter writer;
  for (const auto& [key, value] : params) {
    if (!value.defined())
      fail<ValueError>("quantization_params: \"", key, "\" is undefined, expected a float64 tensor");
    writer.add_object(key, json_of(value));
  }
  return writer.text();
}

QuantizationParams params_from(std::string_view json, const std::string& what) {
  JsonReader reader(json, what);
  QuantizationParams params;
  for (const std::string& key : reader.keys())
    params.emplace(key, param_from(reader.object(key), message(what, ": ", key)));
  return params;
}

/// The method's field, in the terms of whoever reads the file.
QuantizationMethod method_from(JsonReader& reader, std::string_view what) {
  try {
    return parse_method(reader.string("method"));
  } catch (const ValueError& error) {
    fail<ValueError>(what, ": \"method\": ", error.what());
  }
}

void write(JsonWriter& writer, const BaseQuantizerConfig& config) {
  writer.add("method", name_of(config.method))
      .add("n_bits", config.n_bits)
      .add_object("quantization_params", json_of(config.quantization_params))
      .add("enable_quantization", config.enable_quantization)
      .add("min_threshold", config.min_threshold);
  if (config.candidates.empty()) return;
  std::vector<std::string> candidates;
  for (const TrainableQuantizerCandidateConfig& candidate : config.candidates)
    candidates.push_back(JsonWriter()
                             .add("n_bits", candidate.n_bits)
                             .add_object("quantization_params", json_of(candidate.quantization_params))
                             .text());
  writer.add_objects("candidates", candidates);
}

void read(JsonReader& reader, const std::string& what, BaseQuantizerConfig& config) {
  config.method = method_from(reader, what);
  config.n_bits = reader.integer("n_bits");
  config.quantization_params = params_from(reader.object("quantization_params"), what + ": quantization_params");
  config.enable_quantization = reader.boolean("enable_quantization");
  config.min_threshold = reader.number("min_threshold");
  config.candidates.clear();
  if (!reader.has("candidates")) return;
  for (const std::string& json : reader.objects("candidates")) {
    const std::string place = message(what, ": candidates[", config.candidates.size(), ']');
    JsonReader candidate(json, place);
    const int bits = candidate.integer("n_bits");
    config.candidates.push_back(
        {bits, params_from(candidate.object("quantization_params"), place + ": quantization_params")});
    candidate.finish();
  }
}

}  // namespace

std::string fields_json(const TrainableQuantizerWeightsConfig& config) {
  JsonWriter writer;
  write(writer, config);
  return writer.add("weights_channels_axis", config.weights_channels_axis)
      .add("weights_per_channel_threshold", config.weights_per_channel_threshold)
      .text();
}

std::string fields_json(const TrainableQuantizerActivationConfig& config) {
  JsonWriter writer;
  write(writer, config);
  return writer.add("channels_axis", config.channels_axis).text();
}

void read_fields(std::string_view json, std::string_view what, TrainableQuantizerWeightsConfig& config) {
  JsonReader reader(json, what);
  read(reader, std::string(what), config);
  config.weights_channels_axis = reader.integer("weights_channels_axis");
  config.weights_per_channel_threshold = reader.boolean("weights_per_channel_threshold");
  reader.finish();
}

void read_fields(std::string_view json, std::string_view what, TrainableQuantizerActivationConfig& config) {
  JsonReader reader(json, what);
  read(reader, std::string(what), config);
  config.channels_axis = reader.integer("channels_axis");
  reader.finish();
}

}  // namespace bitgrad::detail
