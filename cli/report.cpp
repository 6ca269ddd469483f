#include <bitgrad/cli/report.hpp>

#include <nlohmann/json.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/kernels/isa.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Every field with its name, for writing and for reading.
template <class R, class F>
void for_each_field(R& report, F&& f) {
  f("model", report.model);
  f("data", report.data);
  f("weights", report.weights);
  f("activations", report.activations);
  f("weight_bits", report.weight_bits);
  f("activation_bits", report.activation_bits);
  f("epochs", report.epochs);
  f("qat_epochs", report.qat_epochs);
  f("float_accuracy", report.float_accuracy);
  f("quantized_accuracy", report.quantized_accuracy);
  f("converted_accuracy", report.converted_accuracy);
  f("codes_compared", report.codes_compared);
  f("differing_codes", report.differing_codes);
  f("parameters", report.parameters);
  f("float_bytes", report.float_bytes);
  f("quantized_bytes", report.quantized_bytes);
  f("images_per_second", report.images_per_second);
  f("seconds", report.seconds);
  f("seed", report.seed);
}

}  // namespace

std::vector<LayerBits> layer_bits(const QuantizationPlan& plan) {
  std::vector<LayerBits> layers;
  const auto add = [&](const std::string& tensor, const std::string& identifier, const BaseQuantizerConfig& config) {
    layers.push_back({tensor, identifier, std::string(name_of(config.method)), config.n_bits});
  };
  for (const WeightPlan& entry : plan.weights) add(entry.layer + "/" + entry.weight, entry.identifier, entry.config);
  for (const ActivationPlan& entry : plan.activations) add(holder_name(entry.producer), entry.identifier, entry.config);
  return layers;
}

void write_report(const io::Path& path, const Report& report) {
  Json json = {{"format", "bitgrad.report"}, {"version", 1}};
  for_each_field(report, [&](const char* name, const auto& value) { json[name] = value; });
  if (report.hold_out) json["hold_out"] = *report.hold_out;
  if (report.ema > 0) json["ema"] = report.ema;
  if (!report.gradual.empty()) json["gradual"] = report.gradual;
  json["mixed"] = report.mixed;
  json["layers"] = Json::array();
  for (const LayerBits& layer : report.layers)
    json["layers"].push_back(
        {{"tensor", layer.tensor}, {"bits", layer.bits}, {"quantizer", layer.quantizer}, {"method", layer.method}});
  json["versions"] = {{"bitgrad", BITGRAD_VERSION},
                      {"compiler", __VERSION__},
                      {"instruction_set", kernels::name_of(kernels::active_isa())},
                      {"blas_core", blas_core_name()}};
  std::string text = json.dump(2);
  // On one line: thousands of counts, one to a line, would bury what people look for.
  if (report.details)
    text.replace(text.rfind("\n}"), 2, message(",\n  \"details\": ", to_json(*report.details), "\n}"));
  io::write_file_atomically(path, text + "\n");
}

Report read_report(const io::Path& path) {
  const Json json = Json::parse(io::read_text_file(path), nullptr, false);
  if (!json.is_object() || json.value("format", Json()) != "bitgrad.report")
    fail<IoError>(path.string(), ": no report of bitgrad train");
  if (json.value("version", Json()) != 1)
    fail<IoError>(path.string(), ": version of the report is ", json.value("version", Json()).dump(), ", expected 1");
  Report report;
  for_each_field(report, [&](const char* name, auto& value) {
    if (!json.contains(name)) fail<IoError>(path.string(), ": the report lacks \"", name, '"');
    try {
      json[name].get_to(value);
    } catch (const Json::exception&) {
      fail<IoError>(path.string(), ": ", name, " is ", json[name].dump());
    }
  });
  if (json.contains("hold_out") && json["hold_out"].is_number()) report.hold_out = json["hold_out"].get<double>();
  if (json.contains("details")) report.details = details_from_json(json["details"].dump(), path.string());
  report.mixed = json.value("mixed", false);  // absent in reports from before --bits
  if (json.contains("gradual") && json["gradual"].is_string()) report.gradual = json["gradual"].get<std::string>();
  if (json.contains("ema") && json["ema"].is_number()) report.ema = json["ema"].get<double>();
  return report;
}

}  // namespace bitgrad::cli
