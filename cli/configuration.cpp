#include <bitgrad/cli/configuration.hpp>

#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/core/io/detail/strict_json.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view format_name = "bitgrad.run";
constexpr int format_version = 1;

/// Whose value may be what its file would hold.
constexpr std::string_view object_option = "bits";

bool is_of(OptionKind kind, const Json& value) {
  switch (kind) {
    case OptionKind::flag: return value.is_boolean();
    case OptionKind::whole: return value.is_number_integer();
    case OptionKind::number: return value.is_number();
    case OptionKind::text: break;
  }
  return value.is_string();
}

std::string name_of(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

/// Options that a file may hold.
std::vector<CLI::Option*> options_of(CLI::App& command) {
  return command.get_options([](const CLI::Option* option) {
    const std::string name = name_of(*option);
    return !name.empty() && name != "help" && name != "config" && name != "resume" && name != "replace";
  });
}

/// A number as it was typed, which JSON need not take: ".5", "+3".
Json number(const std::string& text) {
  std::uint64_t whole = 0;
  if (read_number(text, whole) == std::errc()) return whole;
  std::int64_t negative = 0;
  if (read_number(text, negative) == std::errc()) return negative;
  double value = 0;
  if (read_number(text, value) == std::errc()) return value;
  fail<UsageError>("\"", text, "\" is no number that a file can hold");
}

Json value_of(const CLI::Option& option, const std::string& text) {
  const OptionKind kind = kind_of(option);
  if (kind == OptionKind::flag) return text == "true" || text == "1";
  if (name_of(option) == object_option && text.starts_with('{')) return Json::parse(text);
  return kind == OptionKind::text ? Json(text) : number(text);
}

/// IoError for what is no object.
Json parse_object(std::string_view text, const std::string& what) {
  constexpr const char* expected = "expected a JSON object of options, {\"model\": \"mlp\", \"epochs\": 3}";
  constexpr int deepest = 8;
  try {
    Json file = io::parse_strict_json<Json>(text, what, deepest);
    if (file.is_object()) return file;
  } catch (const IoError& error) {
    fail<IoError>(error.what(), "; ", expected);
  }
  fail<IoError>(what, ": ", expected);
}

/// The same of a file that the user wrote.
Json parse_typed_object(std::string_view text, const std::string& what) {
  try {
    return parse_object(text, what);
  } catch (const IoError& error) {
    throw UsageError(error.what());
  }
}

}  // namespace

void read_configuration(const io::Path& path, CLI::App& command) {
  parse_configuration(io::read_text_file(path), path.string(), command);
}

void parse_configuration(std::string_view text, const std::string& what, CLI::App& command) {
  const Json file = parse_typed_object(text, what);
  const std::vector<CLI::Option*> options = options_of(command);
  std::vector<std::string> names;
  for (const CLI::Option* option : options) names.push_back(name_of(*option));
  for (const auto& [key, value] : file.items()) {
    if (key == "format" || key == "version") {
      const Json only = key == "format" ? Json(format_name) : Json(format_version);
      if (value != only) fail<UsageError>(what, ": ", key, " is ", value.dump(), ", expected ", only.dump());
      continue;
    }
    const auto found = std::ranges::find(names, key);
    if (found == names.end()) fail<UsageError>(what, ": ", unknown_name("key", key, names));
    CLI::Option& option = *options[static_cast<std::size_t>(found - names.begin())];
    const OptionKind kind = kind_of(option);
    const bool is_object = key == object_option && value.is_object();
    if (!is_of(kind, value) && !is_object)
      fail<UsageError>(what, ": \"", key, "\" is ", value.dump(), ", expected ", expected(kind));
    if (option.count() > 0) continue;  // typed: that wins
    try {
      option.add_result(value.is_string() ? value.get<std::string>() : value.dump());
      option.run_callback();
    } catch (const CLI::ParseError& error) {
      fail<UsageError>(what, ": \"", key, "\" is ", value.dump(), ": ", error.what());
    }
  }
}

std::map<std::string, std::string> configured_options(const io::Path& path) {
  std::map<std::string, std::string> options;
  if (!std::filesystem::exists(path)) return options;
  const Json file = parse_object(io::read_text_file(path), path.string());
  for (const auto& [key, value] : file.items())
    if (key != "format" && key != "version") options[key] = value.is_string() ? value.get<std::string>() : value.dump();
  return options;
}

std::string configuration_of(const CLI::App& command, const std::map<std::string, std::string>& resolved) {
  Json json = {{"format", format_name}, {"version", format_version}};
  const std::vector<CLI::Option*> options = options_of(const_cast<CLI::App&>(command));
  for (const CLI::Option* option : options) {
    const std::string name = name_of(*option);
    const auto known = resolved.find(name);
    std::string text = kind_of(*option) == OptionKind::flag ? "false" : option->get_default_str();
    if (option->count() > 0) text = option->results().back();
    if (known != resolved.end()) text = known->second;
    if (option->count() > 0 || !text.empty()) json[name] = value_of(*option, text);
  }
  return json.dump(2) + "\n";
}

std::vector<OptionDifference> different_options(const io::Path& there, std::string_view here,
                                                const std::vector<std::string>& given) {
  const Json file = parse_object(io::read_text_file(there), there.string()), ours = Json::parse(here);
  std::vector<OptionDifference> differences;
  for (const auto& [key, value] : ours.items()) {
    const auto found = file.find(key);
    if (found != file.end() ? *found != value : std::ranges::find(given, key) != given.end())
      differences.push_back({key, found != file.end() ? found->dump() : "", value.dump()});
  }
  for (const auto& [key, value] : file.items())
    if (!ours.contains(key)) differences.push_back({key, value.dump(), ""});
  return differences;
}

}  // namespace bitgrad::cli
