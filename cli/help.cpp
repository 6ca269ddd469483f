#include <bitgrad/cli/help.hpp>

#include <CLI/App.hpp>
#include <CLI/FormatterFwd.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace bitgrad::cli {
namespace {

constexpr std::size_t indent = 28, width = 120;  // columns
constexpr const char* usual_group = "Options";   // the parser's, with --help in it

/// Its words from column `indent` on, in as many lines as they need.
std::string wrapped(const std::string& text) {
  std::istringstream words(text);
  std::string result;
  std::size_t column = indent;
  for (std::string word; words >> word; column += word.size()) {
    if (column > indent && column + 1 + word.size() > width) {
      result += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      result += ' ';
      ++column;
    }
    result += word;
  }
  return result;
}

/// Two columns.
std::string entry(const std::string& name, const std::string& text) {
  std::string line = "  " + name;
  if (line.size() + 2 > indent)
    line += '\n' + std::string(indent, ' ');
  else
    line.resize(indent, ' ');
  return line + wrapped(text) + '\n';
}

/// "FILE": what an option takes; without what the parser's validators say of themselves behind a colon.
std::string value_of(const CLI::Option& option) {
  const std::string type = option.get_items_expected_max() == 0 ? "" : option.get_type_name();
  return type.substr(0, type.find(':'));
}

/// "--out FILE", "-h, --help"
std::string name_of(const CLI::Option& option) {
  std::string name;
  for (const std::string& each : option.get_snames()) name += "-" + each + ", ";
  name += "--" + option.get_lnames().front();
  const std::string value = value_of(option);
  return value.empty() ? name : name + ' ' + value;
}

std::string positional_name(const CLI::Option& option) {
  return option.get_name(true) + (option.get_items_expected_max() > 1 ? "..." : "");
}

std::string text_of(const CLI::Option& option) {
  std::string text = option.get_description();
  std::string usual = option.get_default_str();
  if (usual.starts_with('[')) usual = usual.substr(1, usual.size() - 2);  // a list
  if (!usual.empty()) text += " (default: " + usual + ")";
  if (option.get_required() && !option.get_positional()) text += " (required)";
  return text;
}

std::string usage(const CLI::App& app, const std::string& name) {
  std::string text = "Usage: " + name;
  const bool has_subcommands = !app.get_subcommands(nullptr).empty();
  if (has_subcommands) text += " SUBCOMMAND";
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional()) text += ' ' + positional_name(*option);
  for (const CLI::Option* option : app.get_options())
    if (option->get_required() && !option->get_positional()) text += ' ' + name_of(*option);
  return text + " [options]\n";
}

class HelpFormatter : public CLI::FormatterBase {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode) const override {
    std::string text = app->get_description() + "\n\n" + usage(*app, name.empty() ? app->get_name() : name);
    text += group("Arguments", app->get_options(&CLI::Option::get_positional), positional_name);
    text += subcommands(*app);
    std::vector<std::string> groups = app->get_groups();
    std::erase(groups, usual_group);
    groups.emplace_back(usual_group);  // behind those of the command's own
    for (const std::string& each : groups)
      text += group(each, app->get_options([&](const CLI::Option* option) {
        return option->nonpositional() && option->get_group() == each;
      }),
                    name_of);
    return app->get_footer().empty() ? text : text + '\n' + app->get_footer() + '\n';
  }

 private:
  template <class Name>
  static std::string group(const std::string& heading, const std::vector<const CLI::Option*>& options, Name name) {
    if (options.empty()) return "";
    std::string text = '\n' + heading + ":\n";
    for (const CLI::Option* option : options) text += entry(name(*option), text_of(*option));
    return text;
  }

  static std::string subcommands(const CLI::App& app) {
    const std::vector<const CLI::App*> all = app.get_subcommands(nullptr);
    if (all.empty()) return "";
    std::string text = "\nSubcommands:\n";
    for (const CLI::App* each : all) text += entry(each->get_name(), each->get_description());
    return text;
  }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<HelpFormatter>(); }

}  // namespace bitgrad::cli
