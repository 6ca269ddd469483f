#include <bitgrad/qat/plan.hpp>

#include <nlohmann/json.hpp>

#include <bitgrad/core/error.hpp>

namespace bitgrad {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view format = "bitgrad.quantization_plan";
constexpr int version = 1;

Json json_of(const Tensor& tensor) {
  const auto values = tensor.span<double>();
  return {{"shape", std::vector<Index>(tensor.shape().extents().begin(), tensor.shape().extents().end())},
          {"data", std::vector<double>(values.begin(), values.end())}};
}

Tensor tensor_from(const Json& json) {
  return Tensor::from(Shape(json.at("shape").get<std::vector<Index>>()), json.at("data").get<std::vector<double>>());
}

Json json_of(const BaseQuantizerConfig& config) {
  Json params = Json::object();
  for (const auto& [key, value] : config.quantization_params) params[key] = json_of(value);
  return {{"method", std::string(name_of(config.method))},
          {"n_bits", config.n_bits},
          {"quantization_params", params},
          {"enable_quantization", config.enable_quantization},
          {"min_threshold", config.min_threshold}};
}

void read_config(const Json& json, BaseQuantizerConfig& config) {
  config.method = parse_method(json.at("method").get<std::string>());
  config.n_bits = json.at("n_bits").get<int>();
  for (const auto& [key, value] : json.at("quantization_params").items()) config.quantization_params[key] = tensor_from(value);
  config.enable_quantization = json.at("enable_quantization").get<bool>();
  config.min_threshold = json.at("min_threshold").get<double>();
}

Json json_of(const WeightPlan& plan) {
  Json json{{"layer", plan.layer}, {"weight", plan.weight}, {"identifier", plan.identifier}, {"config", json_of(plan.config)}};
  json["config"]["weights_channels_axis"] = plan.config.weights_channels_axis;
  json["config"]["weights_per_channel_threshold"] = plan.config.weights_per_channel_threshold;
  return json;
}

Json json_of(const ActivationPlan& plan) {
  Json json{{"producer", plan.producer}, {"identifier", plan.identifier}, {"trainable", plan.trainable}, {"config", json_of(plan.config)}};
  json["config"]["channels_axis"] = plan.config.channels_axis;
  return json;
}

WeightPlan weight_plan_from(const Json& json) {
  WeightPlan plan{json.at("layer"), json.at("weight"), json.at("identifier"), {}};
  read_config(json.at("config"), plan.config);
  plan.config.weights_channels_axis = json.at("config").at("weights_channels_axis").get<int>();
  plan.config.weights_per_channel_threshold = json.at("config").at("weights_per_channel_threshold").get<bool>();
  return plan;
}

ActivationPlan activation_plan_from(const Json& json) {
  ActivationPlan plan{json.at("producer"), json.at("identifier"), {}, json.at("trainable").get<bool>()};
  read_config(json.at("config"), plan.config);
  plan.config.channels_axis = json.at("config").at("channels_axis").get<int>();
  return plan;
}

}  // namespace

std::string holder_name(std::string_view producer) { return message(producer, "/out"); }

std::string QuantizationPlan::to_json() const {
  Json json{{"format", std::string(format)}, {"version", version}, {"weights", Json::array()}, {"activations", Json::array()}};
  for (const WeightPlan& plan : weights) json["weights"].push_back(json_of(plan));
  for (const ActivationPlan& plan : activations) json["activations"].push_back(json_of(plan));
  return json.dump();
}

QuantizationPlan QuantizationPlan::from_json(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != format || json.at("version") != version)
      fail<ValueError>("quantization plan: format is ", json.at("format"), " version ", json.at("version"), ", expected \"", format,
                       "\" version ", version);
    QuantizationPlan plan;
    for (const Json& entry : json.at("weights")) plan.weights.push_back(weight_plan_from(entry));
    for (const Json& entry : json.at("activations")) plan.activations.push_back(activation_plan_from(entry));
    return plan;
  } catch (const Json::exception& error) {
    fail<ValueError>("quantization plan: ", error.what());
  }
}

}  // namespace bitgrad
