// Overrides as JSON: {"format": "bitgrad.bits", "version": 1, "rules": [{"layer": "conv*", "weights": 4}, ...]}
#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/quantization_config.hpp>
#include <bitgrad/quantizers/detail/json_object.hpp>

namespace bitgrad {
namespace {

constexpr std::string_view format = "bitgrad.bits";
constexpr int version = 1;

QuantizerSpec spec_of(JsonReader& reader, std::string_view key, std::string_view place) {
  const std::string text = reader.string(key);
  try {
    const std::optional<QuantizerSpec> spec = parse_quantizer_spec(text);
    if (spec) return *spec;
  } catch (const ValueError& error) {
    fail<ValueError>(place, ": \"", key, "\": ", error.what());
  }
  fail<ValueError>(place, ": \"", key,
                   "\" is \"none\", expected bits or a quantizer; \"float\": true leaves a layer unquantized");
}

/// A number of bits, or a quantizer.
void read_choice(JsonReader& reader, std::string_view key, std::string_view place, std::optional<QuantizerSpec>& spec,
                 std::optional<int>& bits) {
  if (!reader.has(key)) return;
  if (reader.is_string(key)) {
    spec = spec_of(reader, key, place);
    return;
  }
  bits = reader.integer(key);
  if (*bits < 1 || *bits > 16)
    fail<ValueError>(place, ": \"", key, "\" is ", *bits, ", expected 1 to 16 bits, or a quantizer such as \"lsq:4\"");
}

LayerOverride override_of(std::string_view json, const std::string& place) {
  JsonReader reader(json, place);
  LayerOverride rule{.pattern = reader.string("layer", ""), .type = reader.string("type", ""), .origin = place};
  if (rule.pattern.empty() && rule.type.empty()) fail<ValueError>(place, ": names neither \"layer\" nor \"type\"");
  read_choice(reader, "weights", place, rule.weights, rule.weight_bits);
  read_choice(reader, "activations", place, rule.activations, rule.activation_bits);
  if (reader.has("other_weights")) {
    const std::string inside = place + ": other_weights";
    JsonReader others(reader.object("other_weights"), inside);
    for (const std::string& name : others.keys()) rule.other_weights.emplace(name, spec_of(others, name, inside));
  }
  rule.keep_float = reader.boolean("float", false);
  reader.finish();
  return rule;
}

void add_choice(JsonWriter& writer, std::string_view key, const std::optional<QuantizerSpec>& spec,
                const std::optional<int>& bits) {
  if (spec) writer.add(key, to_string(spec));
  if (bits) writer.add(key, *bits);
}

std::string json_of(const LayerOverride& rule) {
  JsonWriter writer;
  if (!rule.pattern.empty()) writer.add("layer", rule.pattern);
  if (!rule.type.empty()) writer.add("type", rule.type);
  add_choice(writer, "weights", rule.weights, rule.weight_bits);
  add_choice(writer, "activations", rule.activations, rule.activation_bits);
  if (!rule.other_weights.empty()) {
    JsonWriter others;
    for (const auto& [name, spec] : rule.other_weights) others.add(name, to_string(spec));
    writer.add_object("other_weights", others.text());
  }
  if (rule.keep_float) writer.add("float", true);
  return writer.text();
}

}  // namespace

std::vector<LayerOverride> parse_bits(std::string_view json, std::string_view what) {
  JsonReader reader(json, what);
  const std::string found = reader.string("format");
  const int number = reader.integer("version");
  if (found != format || number != version)
    fail<ValueError>(what, ": format is \"", found, "\" version ", number, ", expected \"", format, "\" version ",
                     version);
  std::vector<LayerOverride> overrides;
  for (const std::string& entry : reader.objects("rules"))
    overrides.push_back(override_of(entry, message(what, ": rules[", overrides.size(), ']')));
  reader.finish();
  return overrides;
}

std::vector<LayerOverride> read_bits_file(const io::Path& path) {
  return parse_bits(io::read_text_file(path), path.string());
}

std::string bits_json(const std::vector<LayerOverride>& overrides) {
  std::vector<std::string> rules;
  for (const LayerOverride& rule : overrides) rules.push_back(json_of(rule));
  return JsonWriter().add("format", format).add("version", version).add_objects("rules", rules).text();
}

}  // namespace bitgrad
