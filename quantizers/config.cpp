#include <bitgrad/quantizers/config.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/detail/config_json.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad {
namespace {

constexpr int version = 1;

template <class Config>
std::string json_of(const Config& config, QuantizationTarget target) {
  return JsonWriter()
      .add("version", version)
      .add("target", name_of(target))
      .add_object("config", detail::fields_json(config))
      .text();
}

template <class Config>
Config config_of(std::string_view json, QuantizationTarget target, std::string_view what) {
  JsonReader reader(json, what);
  if (const int found = reader.integer("version"); found != version)
    fail<ValueError>(what, ": \"version\" is ", found, ", expected ", version);
  if (const std::string found = reader.string("target"); found != name_of(target))
    fail<ValueError>(what, ": \"target\" is \"", found, "\", expected \"", name_of(target), '"');
  Config config;
  detail::read_fields(reader.object("config"), what, config);
  reader.finish();
  return config;
}

}  // namespace

const Tensor& BaseQuantizerConfig::param(const std::string& key) const {
  const auto found = quantization_params.find(key);
  if (found != quantization_params.end()) return found->second;
  std::string known;
  for (const auto& [name, value] : quantization_params) known += (known.empty() ? "" : ", ") + name;
  fail<ValueError>("quantization_params has no \"", key, "\", it has ", known.empty() ? "nothing" : known);
}

std::string TrainableQuantizerWeightsConfig::to_json() const { return json_of(*this, QuantizationTarget::Weights); }
std::string TrainableQuantizerActivationConfig::to_json() const {
  return json_of(*this, QuantizationTarget::Activation);
}

TrainableQuantizerWeightsConfig TrainableQuantizerWeightsConfig::from_json(std::string_view json) {
  return config_of<TrainableQuantizerWeightsConfig>(json, QuantizationTarget::Weights,
                                                    "TrainableQuantizerWeightsConfig");
}

TrainableQuantizerActivationConfig TrainableQuantizerActivationConfig::from_json(std::string_view json) {
  return config_of<TrainableQuantizerActivationConfig>(json, QuantizationTarget::Activation,
                                                       "TrainableQuantizerActivationConfig");
}

}  // namespace bitgrad
