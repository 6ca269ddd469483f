#include <bitgrad/quantizers/golden/manifest.hpp>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/io/npy.hpp>
#include <bitgrad/quantizers/golden/detail/read.hpp>

namespace bitgrad::golden {
namespace {

using namespace detail;

constexpr const char* manifest_name = "manifest.json";

template <class Enum>
Enum one_of(const Node& value, const std::vector<std::pair<std::string, Enum>>& names) {
  std::string known;
  for (const auto& [name, result] : names) {
    if (value.string() == name) return result;
    known += (known.empty() ? "" : ", ") + name;
  }
  value.wrong(known);
}

IllegalCase illegal(const Node& entry) {
  IllegalCase result;
  result.id = entry.at("id").string();
  using Kind = IllegalCase::Kind;
  using Stage = IllegalCase::Stage;
  result.kind = one_of<Kind>(
      entry.at("kind"), {{"inferable", Kind::inferable}, {"trainable", Kind::trainable}, {"wrapper", Kind::wrapper}});
  result.stage = one_of<Stage>(entry.at("stage"),
                               {{"construct", Stage::construct}, {"call", Stage::call}, {"convert", Stage::convert}});
  result.gist = entry.at("gist").string();
  if (entry.has("what")) result.what = entry.at("what").string();
  if (entry.has("input_shape") && !entry.at("input_shape").is_null())
    result.input_shape = entry.at("input_shape").shape();
  if (result.kind == Kind::inferable) result.json = with_class(entry.at("class"), entry.at("kwargs"));
  if (result.kind != Kind::trainable) return result;
  const std::string class_name = entry.at("class").string();
  result.has_config = entry.has("config");
  if (result.has_config)
    result.quantizer =
        read_spec(entry.at("config"), class_name, target_of(entry.at("config")) == QuantizationTarget::Weights);
  result.quantizer.class_name = class_name;
  return result;
}

LegalCase legal(const Node& entry) {
  return {entry.at("id").string(), with_class(entry.at("class"), entry.at("kwargs"))};
}

LookupCase lookup(const Node& entry) {
  LookupCase result;
  result.trainable = one_of<bool>(entry.at("kind"), {{"inferable", false}, {"trainable", true}});
  result.target = target_of(entry);
  result.method = method_of(entry);
  if (result.trainable) result.identifier = identifier_of(entry);
  if (!entry.at("result").is_null()) result.class_name = entry.at("result").string();
  result.id = message("lookup ", name_of(result.target), " ", name_of(result.method), result.trainable ? " " : "",
                      result.identifier);
  return result;
}

std::vector<AnnealingCase> annealing(const Node& entry) {
  std::vector<AnnealingCase> result;
  for (const Node& c : entry.at("cases").elements())
    result.push_back({message("annealing ", result.size()), c.at("t_start").number(), c.at("t_end").number(),
                      c.at("initial_val").number(), c.at("target_val").number(), c.at("t").numbers(),
                      c.at("value").numbers()});
  for (const Node& pair : entry.at("illegal_t_start_t_end").elements()) {
    const std::vector<double> times = pair.numbers();
    if (times.size() != 2) pair.wrong("two numbers");
    result.push_back({message("annealing from ", times[0], " to ", times[1]), times[0], times[1], 0, 1, {}, {}});
  }
  return result;
}

PowerOfTwoCase power_of_two(const Node& entry) {
  const std::string mode = entry.at("mode").string();
  if (!mode.starts_with("init") && !mode.starts_with("convert"))
    entry.at("mode").wrong("\"init...\" or \"convert...\"");
  return {"pot_rounding " + mode, mode.starts_with("init"), entry.at("threshold").numbers(),
          entry.at("result").numbers()};
}

RangeCase range(const Node& entry) {
  const std::string kind = entry.at("impl").string();
  const int bits = entry.at("n_bits").integer(1, 16);
  const bool single = kind.find("float32") != std::string::npos;
  if (!single && kind.find("float64") == std::string::npos) entry.at("impl").wrong("a name with float32 or float64");
  RangeCase result{.id = message("range_adjust ", kind, " ", bits, " bits"),
                   .single_precision = single,
                   .clamped = kind.ends_with("_clamped"),
                   .bits = bits,
                   .min = entry.at("min").numbers(),
                   .max = entry.at("max").numbers(),
                   .adjusted_min = entry.at("adj_min").numbers(),
                   .adjusted_max = entry.at("adj_max").numbers()};
  if (result.max.size() != result.min.size())
    entry.at("max").wrong(message(result.min.size(), " numbers, as \"min\" has"));
  return result;
}

template <class Case, class Read>
void read_list(const Node& manifest, std::string_view key, std::vector<Case>& cases, Read read) {
  if (!manifest.has(key)) return;
  for (const Node& entry : manifest.at(key).elements()) cases.push_back(read(entry));
}

}  // namespace

const BaseQuantizerConfig& TrainableSpec::config() const {
  if (weights) return weights_config;
  return activation_config;
}

Manifest parse_manifest(std::string_view text, const std::filesystem::path& directory, const ReadArray& read) {
  const std::filesystem::path path = directory / manifest_name;
  const Node document = Node::parse(text, path.string());
  if (!document.has("format_version") || document.at("format_version").dump() != "1")
    fail<ValueError>(path.string(), ": not an object with format_version 1");
  const Arrays arrays(directory, read);
  Manifest manifest;
  read_list(document, "inferable_cases", manifest.inferable, [&](const Node& e) { return read_inferable(e, arrays); });
  read_list(document, "trainable_cases", manifest.trainable, [&](const Node& e) { return read_trainable(e, arrays); });
  read_list(document, "end_to_end_cases", manifest.end_to_end,
            [&](const Node& e) { return read_end_to_end(e, arrays); });
  read_list(document, "illegal", manifest.illegal, illegal);
  read_list(document, "legal_constructions", manifest.legal, legal);
  read_list(document, "lookups", manifest.lookups, lookup);
  if (document.has("annealing")) manifest.annealing = annealing(document.at("annealing"));
  read_list(document, "pot_rounding", manifest.powers_of_two, power_of_two);
  read_list(document, "range_adjust", manifest.ranges, range);
  return manifest;
}

Manifest read_manifest(const std::filesystem::path& directory) {
  return parse_manifest(io::read_text_file(directory / manifest_name), directory, io::read_npy);
}

}  // namespace bitgrad::golden
