#include <bitgrad/qat/plan.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/quantizers/detail/config_json.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view format = "bitgrad.quantization_plan";
constexpr int version = 1;
constexpr std::string_view what = "quantization plan";

std::string json_of(const WeightPlan& plan) {
  return JsonWriter()
      .add("layer", plan.layer)
      .add("weight", plan.weight)
      .add("identifier", plan.identifier)
      .add_object("config", detail::fields_json(plan.config))
      .text();
}

std::string json_of(const ActivationPlan& plan) {
  return JsonWriter()
      .add("producer", plan.producer)
      .add("identifier", plan.identifier)
      .add("trainable", plan.trainable)
      .add_object("config", detail::fields_json(plan.config))
      .text();
}

WeightPlan weight_plan_from(std::string_view json, const std::string& place) {
  JsonReader reader(json, place);
  WeightPlan plan{reader.string("layer"), reader.string("weight"), reader.string("identifier"), {}};
  detail::read_fields(reader.object("config"), message(place, " (\"", plan.layer, "\")"), plan.config);
  reader.finish();
  return plan;
}

ActivationPlan activation_plan_from(std::string_view json, const std::string& place) {
  JsonReader reader(json, place);
  ActivationPlan plan{reader.string("producer"), reader.string("identifier"), {}, reader.boolean("trainable")};
  detail::read_fields(reader.object("config"), message(place, " (\"", plan.producer, "\")"), plan.config);
  reader.finish();
  return plan;
}

void require_format(JsonReader& reader) {
  const std::string found = reader.string("format");
  const int number = reader.integer("version");
  if (found != format || number != version)
    fail<ValueError>(what, ": format is \"", found, "\" version ", number, ", expected \"", format, "\" version ",
                     version);
}

}  // namespace

std::string holder_name(std::string_view producer) { return message(producer, "/out"); }

std::string QuantizationPlan::to_json() const {
  std::vector<std::string> weight_list, activation_list;
  for (const WeightPlan& plan : weights) weight_list.push_back(json_of(plan));
  for (const ActivationPlan& plan : activations) activation_list.push_back(json_of(plan));
  return JsonWriter()
      .add("format", format)
      .add("version", version)
      .add_objects("weights", weight_list)
      .add_objects("activations", activation_list)
      .text();
}

QuantizationPlan QuantizationPlan::from_json(std::string_view json) {
  JsonReader reader(json, what);
  require_format(reader);
  QuantizationPlan plan;
  for (const std::string& entry : reader.objects("weights"))
    plan.weights.push_back(weight_plan_from(entry, message(what, ": weights[", plan.weights.size(), ']')));
  for (const std::string& entry : reader.objects("activations"))
    plan.activations.push_back(
        activation_plan_from(entry, message(what, ": activations[", plan.activations.size(), ']')));
  reader.finish();
  return plan;
}

}  // namespace bitgrad
