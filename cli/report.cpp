#include <bitgrad/cli/report.hpp>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include <bitgrad/cli/html.hpp>
#include <bitgrad/core/error.hpp>
#include <bitgrad/core/gemm.hpp>
#include <bitgrad/core/kernels/isa.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* format_name = "bitgrad.report";
constexpr int format_version = 1;

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

void read(JsonReader& json, const char* name, std::string& value) { value = json.string(name); }
void read(JsonReader& json, const char* name, double& value) { value = json.number(name); }
void read(JsonReader& json, const char* name, int& value) { value = json.integer(name); }
void read(JsonReader& json, const char* name, std::int64_t& value) { value = json.integer64(name); }
void read(JsonReader& json, const char* name, std::uint64_t& value) { value = json.unsigned64(name); }

LayerBits layer_from_json(std::string_view text, const std::string& what) {
  JsonReader json(text, what + ": layers");
  LayerBits layer{.tensor = json.string("tensor"),
                  .quantizer = json.string("quantizer"),
                  .method = json.string("method"),
                  .bits = json.integer("bits")};
  json.finish();
  return layer;
}

TestedOn tested_on_from_json(std::string_view text, const std::string& what) {
  JsonReader json(text, what);
  TestedOn tested_on{.images = json.integer64("images"), .digest = json.string("digest")};
  json.finish();
  if (tested_on.images < 1) fail<IoError>(what, ": \"images\" is ", tested_on.images, ", expected 1 or more");
  if (tested_on.digest.size() != 16 || tested_on.digest.find_first_not_of("0123456789abcdef") != std::string::npos)
    fail<IoError>(what, ": \"digest\" is \"", tested_on.digest, "\", expected 16 hexadecimal digits");
  return tested_on;
}

/// "held-out 10 % of the training images of mnist (6000, digest 0123456789abcdef)"
std::string images_of(const Report& report) {
  const std::string share =
      report.hold_out ? message("held-out ", shown(100 * *report.hold_out), " % of the training") : "test";
  return message(
      share, " images of ", report.data,
      report.tested_on ? message(" (", report.tested_on->images, ", digest ", report.tested_on->digest, ')') : "");
}

/// They are for people.
void check_versions(std::string_view text, const std::string& what) {
  JsonReader json(text, what + ": versions");
  for (const char* name : {"bitgrad", "compiler", "instruction_set", "blas_core"}) json.string(name);
  json.finish();
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

namespace {

/// Of kernels, or of the tensors that layers hand on.
std::vector<LayerBits> those(const std::vector<LayerBits>& layers, Quantized which) {
  std::vector<LayerBits> result;
  const std::string_view suffix = which == Quantized::kernels ? "/kernel" : "/out";
  std::ranges::copy_if(layers, std::back_inserter(result),
                       [&](const LayerBits& each) { return each.tensor.ends_with(suffix); });
  return result;
}

std::string range_of_bits(const std::vector<LayerBits>& layers) {
  const auto [least, most] = std::ranges::minmax_element(layers, {}, &LayerBits::bits);
  return least->bits == most->bits ? message(least->bits) : message(least->bits, "..", most->bits);
}

}  // namespace

std::string quantizers_of(const std::vector<LayerBits>& layers, Quantized which) {
  const std::vector<LayerBits> found = those(layers, which);
  if (found.empty()) return "none";
  std::set<std::string> names;
  for (const LayerBits& each : found) names.insert(each.quantizer);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return message(text, ':', range_of_bits(found));
}

std::string bits_of(const Report& report) {
  if (!report.quantized()) return "float";
  const auto bits = [&](Quantized which, int unless_mixed) {
    const std::vector<LayerBits> layers = those(report.layers, which);
    if (report.mixed && !report.layers.empty()) return layers.empty() ? "float" : range_of_bits(layers);
    return unless_mixed == 32 ? "float" : message(unless_mixed);
  };
  return message(bits(Quantized::kernels, report.weight_bits), " / ",
                 bits(Quantized::activations, report.activation_bits), report.mixed ? " mixed" : "");
}

std::string to_json(const Report& report) {
  Json json = {{"format", format_name}, {"version", format_version}};
  for_each_field(report, [&](const char* name, const auto& value) { json[name] = value; });
  if (report.hold_out) json["hold_out"] = *report.hold_out;
  if (report.tested_on)
    json["tested_on"] = {{"images", report.tested_on->images}, {"digest", report.tested_on->digest}};
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
  return text + "\n";
}

Report report_from_json(std::string_view text, const std::string& what) try {
  JsonReader json(text, what);
  if (const std::string found = json.string("format"); found != format_name)
    fail<IoError>(what, ": format is \"", found, "\", expected \"", format_name, '"');
  if (const int found = json.integer("version"); found != format_version)
    fail<IoError>(what, ": version is ", found, ", expected ", format_version);
  Report report;
  for_each_field(report, [&](const char* name, auto& value) { read(json, name, value); });
  // What follows is not in every report.
  if (json.has("hold_out")) report.hold_out = json.number("hold_out");
  if (json.has("tested_on")) report.tested_on = tested_on_from_json(json.object("tested_on"), what + ": tested_on");
  report.ema = json.number("ema", 0);
  report.gradual = json.string("gradual", "");
  report.mixed = json.boolean("mixed", false);
  if (json.has("layers"))
    for (const std::string& layer : json.objects("layers")) report.layers.push_back(layer_from_json(layer, what));
  if (json.has("versions")) check_versions(json.object("versions"), what);
  if (json.has("details")) report.details = details_from_json(json.object("details"), what + ": details");
  json.finish();
  return report;
} catch (const ValueError& error) {
  throw IoError(error.what());
}

void write_report(const io::Path& path, const Report& report) {
  io::write_file_atomically(path, std::string_view(to_json(report)));
}

Report read_report(const RunDirectory& run) {
  run.require(run.report());
  return report_from_json(io::read_text_file(run.report()), run.report().string());
}

bool tested_alike(const Report& a, const Report& b) {
  if (a.tested_on && b.tested_on) return a.tested_on->digest == b.tested_on->digest;
  return a.data == b.data && a.hold_out == b.hold_out;
}

std::string different_images(const std::vector<NamedReport>& runs) {
  const auto like_all = [&](const NamedReport& run) {
    return std::ranges::all_of(runs, [&](const auto& other) { return tested_alike(*run.report, *other.report); });
  };
  if (std::ranges::all_of(runs, like_all)) return "";
  std::vector<std::pair<std::string, std::string>> groups;  // images, and the runs that were tested on them
  for (const NamedReport& run : runs) {
    const std::string images = images_of(*run.report);
    const auto group = std::ranges::find(groups, images, &std::pair<std::string, std::string>::first);
    if (group == groups.end())
      groups.emplace_back(images, run.name);
    else
      group->second += ", " + run.name;
  }
  std::string text;
  for (const auto& [images, names] : groups) text += message(text.empty() ? "" : "; ", names, ": ", images);
  return text;
}

}  // namespace bitgrad::cli
