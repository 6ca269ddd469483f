#include <bitgrad/cli/option_kinds.hpp>

#include <CLI/App.hpp>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace bitgrad::cli {
namespace {

template <class T>
std::errc check_as(const std::string& text) {
  T value{};
  const std::errc error = read_number(text, value);
  if constexpr (std::is_floating_point_v<T>)
    if (error == std::errc() && !std::isfinite(value)) return std::errc::invalid_argument;
  return error;
}

/// Empty for a number of that kind, otherwise what was expected. Seeds are unsigned.
std::string check_number(OptionKind kind, bool seed, const std::string& text) {
  const std::errc error = kind == OptionKind::number ? check_as<double>(text)
                          : seed && text[0] != '-'   ? check_as<std::uint64_t>(text)
                                                     : check_as<std::int64_t>(text);
  if (error == std::errc()) return "";
  const char* range = error == std::errc::result_out_of_range ? " that 64 bits hold" : "";
  return '"' + text + "\", expected " + std::string(expected(kind)) + range;
}

}  // namespace

OptionKind kind_of(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return OptionKind::flag;
  const std::string type = option.get_type_name();
  if (type == "N" || type == "S" || type == "T" || type.starts_with("N,")) return OptionKind::whole;
  return type == "X" || type == "SHARE" ? OptionKind::number : OptionKind::text;
}

std::string_view expected(OptionKind kind) {
  switch (kind) {
    case OptionKind::flag: return "true or false";
    case OptionKind::whole: return "a whole number";
    case OptionKind::number: return "a number";
    case OptionKind::text: break;
  }
  return "a text in quotes";
}

void check_numbers(CLI::App& command) {
  for (CLI::Option* option : command.get_options())
    if (const OptionKind kind = kind_of(*option); kind == OptionKind::whole || kind == OptionKind::number)
      option->check(CLI::Validator(
          [kind, seed = option->get_type_name() == "S"](std::string& text) { return check_number(kind, seed, text); },
          ""));
  for (CLI::App* subcommand : command.get_subcommands(nullptr)) check_numbers(*subcommand);
}

std::string whole_number(const std::string& text) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  return digits ? "" : text + ", expected a whole number, 0 or more";
}

}  // namespace bitgrad::cli
