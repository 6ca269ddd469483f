#include <bitgrad/quantizers/golden/manifest.hpp>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/io/npy.hpp>

namespace bitgrad::golden {
namespace {

using nlohmann::json;

/// A JSON number, or {"__type__": "float", "data": "inf"}.
double number(const json& value) {
  if (!value.is_object()) return value.get<double>();
  const std::string text = value.at("data").get<std::string>();
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> numbers(const json& value) {
  std::vector<double> result;
  for (const json& element : value) result.push_back(number(element));
  return result;
}

std::vector<double> numbers_at(const json& object, const char* key) {
  return object.contains(key) ? numbers(object.at(key)) : std::vector<double>{};
}

bool has_tag(const json& entry, const char* tag) {
  const json& tags = entry.at("tags");
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

QuantizationTarget target_of(const json& entry) {
  return entry.at("target") == "Weights" ? QuantizationTarget::Weights : QuantizationTarget::Activation;
}

QuantizationMethod method_of(const json& entry) { return parse_method(entry.at("method").get<std::string>()); }

/// The command line's name of the reference's training method.
std::string identifier_of(const json& entry) {
  std::string name = entry.at("training_method").get<std::string>();
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return "mct-" + name;
}

Shape shape_of(const json& extents) {
  const auto values = extents.get<std::vector<Index>>();
  return Shape(std::span<const Index>(values));
}

class Reader {
 public:
  Reader(const std::filesystem::path& directory, int channels_axis)
      : directory_(directory), channels_axis_(channels_axis) {}

  InferableCase inferable(const json& entry) const {
    const json& derived = entry.at("derived");
    InferableCase result;
    result.id = entry.at("id");
    result.class_name = entry.at("class");
    result.json = constructor(entry.at("class"), entry.at("params"));
    for (const char* key : {"threshold", "min_range", "max_range"})
      for (const double value : numbers_at(entry.at("params"), key)) result.parameters.push_back(value);
    result.num_bits = entry.at("params").at("num_bits");
    result.input = array(entry.at("input"), shape_of(entry.at("shape")));
    const Tensor outputs = io::read_npy(directory_ / entry.at("output").get<std::string>());
    const Index slice = entry.at("output_index");
    result.output = outputs.rows(slice, slice + 1).reshape(result.input.shape());
    result.scale = numbers_at(derived, "scale");
    result.zero_point = numbers_at(derived, "zero_point");
    result.zero_point_if_rounded = numbers_at(derived, "zero_point_if_rounded");
    if (derived.contains("quant_min")) result.lo = derived.at("quant_min").get<double>();
    if (derived.contains("quant_max")) result.hi = derived.at("quant_max").get<double>();
    result.platform_defined = entry.at("platform_defined").get<std::vector<Index>>();
    return result;
  }

  TrainableCase trainable(const json& entry) const {
    TrainableCase result;
    result.id = entry.at("id");
    result.class_name = entry.at("class");
    result.identifier = identifier_of(entry);
    result.weights = target_of(entry) == QuantizationTarget::Weights;
    fill(result.weights_config, entry);
    fill(result.activation_config, entry);
    result.activation_config.channels_axis = channels_axis_;
    if (result.weights) {
      result.weights_config.weights_channels_axis = entry.at("channels_axis");
      result.weights_config.weights_per_channel_threshold = entry.at("per_channel");
    }
    result.freeze = entry.at("freeze_quant_params");
    result.special_values = has_tag(entry, "special_values");
    const json& factor = entry.at("lsq_scale_factor");
    result.infinite_gradient_scale = !factor.is_null() && std::isinf(number(factor));
    const Shape shape = shape_of(entry.at("shape"));
    result.x = array(entry.at("x"), shape);
    result.dy = array(entry.at("dy"), shape);
    result.y = array(entry.at("y"), shape);
    result.dx = array(entry.at("dx"), shape);
    for (const json& variable : entry.at("variables")) result.variables.push_back(this->variable(variable));
    result.conversion = conversion(entry.at("inferable"), shape);
    return result;
  }

 private:
  static std::string constructor(const json& class_name, json parameters) {
    parameters["class"] = class_name;
    return parameters.dump();
  }

  Tensor array(const json& file, const Shape& shape) const {
    return io::read_npy(directory_ / file.get<std::string>()).reshape(shape);
  }

  static void fill(BaseQuantizerConfig& config, const json& entry) {
    config.method = method_of(entry);
    config.n_bits = entry.at("n_bits");
    for (const auto& [key, value] : entry.at("quantization_params").items()) {
      if (value.is_boolean())
        config.quantization_params[key] = Tensor::scalar(value.get<bool>() ? 1 : 0, DType::float64);
      else
        config.quantization_params[key] = Tensor::from(shape_of(value.at("shape")), numbers(value.at("data")));
    }
  }

  GoldenVariable variable(const json& entry) const {
    GoldenVariable result;
    result.key = entry.at("name");
    result.registered_as = entry.at("registered_as");
    result.trainable = entry.at("trainable");
    result.shape = shape_of(entry.at("shape"));
    result.init = numbers(entry.at("init"));
    if (!entry.at("grad").is_null()) result.gradient = array(entry.at("grad"), result.shape);
    result.tolerance = numbers_at(entry, "atol");
    return result;
  }

  GoldenConversion conversion(const json& entry, const Shape& shape) const {
    GoldenConversion result;
    result.refused = entry.contains("error");
    if (result.refused) return result;
    result.class_name = entry.at("class");
    const json& parameters = entry.at("params");
    if (parameters.contains("threshold")) result.json = constructor(entry.at("class"), parameters);
    result.scale = numbers_at(parameters, "scale");
    result.zero_point = numbers_at(parameters, "zero_point");
    result.output = array(entry.at("output"), shape);
    return result;
  }

  std::filesystem::path directory_;
  int channels_axis_;
};

LookupCase lookup(const json& entry) {
  LookupCase result;
  result.trainable = entry.at("kind") == "trainable";
  result.target = target_of(entry);
  result.method = method_of(entry);
  if (result.trainable) result.identifier = identifier_of(entry);
  if (!entry.at("result").is_null()) result.class_name = entry.at("result");
  result.id = message("lookup ", name_of(result.target), " ", name_of(result.method), " ", result.identifier);
  return result;
}

PowerOfTwoCase power_of_two(const json& entry) {
  const std::string mode = entry.at("mode");
  return {"pot_rounding " + mode, mode.starts_with("init"), numbers(entry.at("threshold")),
          numbers(entry.at("result"))};
}

RangeCase range(const json& entry) {
  const std::string kind = entry.at("impl");
  return {.id = message("range_adjust ", kind, " ", entry.at("n_bits").get<int>(), " bits"),
          .single_precision = kind.find("float32") != std::string::npos,
          .clamped = kind.ends_with("_clamped"),
          .bits = entry.at("n_bits"),
          .min = numbers(entry.at("min")),
          .max = numbers(entry.at("max")),
          .adjusted_min = numbers(entry.at("adj_min")),
          .adjusted_max = numbers(entry.at("adj_max"))};
}

/// Every element of a list of the manifest; what goes wrong is said with the list's name and the case.
template <class Case, class Read>
std::vector<Case> read_list(const json& manifest, const char* key, Read read) {
  std::vector<Case> cases;
  if (!manifest.contains(key)) return cases;
  for (const json& entry : manifest.at(key)) {
    try {
      cases.push_back(read(entry));
    } catch (const json::exception& error) {
      fail<ValueError>("manifest.json: ", key, ": case ",
                       entry.contains("id") ? entry.at("id").dump() : message(cases.size()), ": ", error.what());
    }
  }
  return cases;
}

}  // namespace

Manifest read_manifest(const std::filesystem::path& directory, int activation_channels_axis) {
  const json document = json::parse(io::read_text_file(directory / "manifest.json"), nullptr, false);
  if (!document.is_object() || document.value("format_version", 0) != 1)
    fail<ValueError>((directory / "manifest.json").string(), ": not a JSON object with format_version 1");
  const Reader reader(directory, activation_channels_axis);
  return {read_list<InferableCase>(document, "inferable_cases", [&](const json& e) { return reader.inferable(e); }),
          read_list<TrainableCase>(document, "trainable_cases", [&](const json& e) { return reader.trainable(e); }),
          read_list<LookupCase>(document, "lookups", lookup),
          read_list<PowerOfTwoCase>(document, "pot_rounding", power_of_two),
          read_list<RangeCase>(document, "range_adjust", range)};
}

}  // namespace bitgrad::golden
