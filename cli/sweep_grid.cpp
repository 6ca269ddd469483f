#include <bitgrad/cli/sweep_grid.hpp>

#include <CLI/App.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/train_arguments.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::cli {
namespace {

constexpr std::array own_options{"out", "config", "resume", "replace", "threads", "help"};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t at = text.find(separator); at != std::string::npos; at = text.find(separator, begin)) {
    parts.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

/// The options of train, as its command line declares them.
class TrainCommandLine {
 public:
  TrainCommandLine() { options_.declare(app_); }

  const CLI::Option* find(const std::string& name) const { return app_.get_option_no_throw("--" + name); }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const CLI::Option* option : app_.get_options())
      for (const std::string& name : option->get_lnames())
        if (std::ranges::find(own_options, name) == own_options.end()) names.push_back(name);
    return names;
  }

 private:
  CLI::App app_;
  TrainOptions options_;
};

void check_option(const std::string& axis, const std::string& option, const TrainCommandLine& train) {
  if (std::ranges::find(own_options, option) != own_options.end())
    fail<UsageError>("--grid ", axis, ": --", option, " is the sweep's own");
  if (!train.find(option))
    fail<UsageError>("--grid ", axis, ": ", unknown_name("option of train", option, train.names()));
}

/// The values of an axis: joined by commas, or a JSON list, whose values may contain commas.
std::vector<std::string> values_of(const std::string& axis, const std::string& text) {
  if (!text.starts_with('[')) return split(text, ',');
  const auto list = nlohmann::json::parse(text, nullptr, false);
  const auto is_value = [](const nlohmann::json& each) {
    return each.is_string() || each.is_number() || each.is_boolean();
  };
  if (!list.is_array() || list.empty() || !std::ranges::all_of(list, is_value))
    fail<UsageError>("--grid ", axis, ": ", text, " is not a JSON list of values, [\"8,4,2\", \"4,2\"]");
  std::vector<std::string> values;
  for (const auto& value : list) values.push_back(value.is_string() ? value.get<std::string>() : value.dump());
  return values;
}

/// The combinations of one axis, each a value per option of it.
std::vector<GridPoint> parse_axis(const std::string& text, const TrainCommandLine& train) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos)
    fail<UsageError>("--grid ", text, ": expected an option of train and its values, weights=lsq:4,lsq:2");
  const std::vector<std::string> options = split(text.substr(0, equals), '+');
  for (const std::string& option : options) check_option(text, option, train);
  std::vector<GridPoint> points;
  for (const std::string& together : values_of(text, text.substr(equals + 1))) {
    const std::vector<std::string> values = options.size() == 1 ? std::vector{together} : split(together, '+');
    if (values.size() != options.size() || std::ranges::any_of(values, &std::string::empty))
      fail<UsageError>("--grid ", text, ": \"", together, "\" has to be ", options.size(),
                       options.size() == 1 ? " value" : " values joined by +");
    GridPoint point;
    for (std::size_t i = 0; i < options.size(); ++i) point.push_back({options[i], values[i]});
    points.push_back(std::move(point));
  }
  return points;
}

}  // namespace

std::vector<GridPoint> parse_grid(const std::vector<std::string>& axes) {
  const TrainCommandLine train;
  std::vector<GridPoint> points{{}};
  for (const std::string& axis : axes) {
    std::vector<GridPoint> longer;
    for (const GridPoint& point : points)
      for (const GridPoint& more : parse_axis(axis, train)) {
        longer.push_back(point);
        for (const Setting& setting : more) {
          if (std::ranges::find(longer.back(), setting.option, &Setting::option) != longer.back().end())
            fail<UsageError>("--grid ", axis, ": --", setting.option, " is in the grid already");
          longer.back().push_back(setting);
        }
      }
    points = std::move(longer);
  }
  std::set<std::string> names;
  for (const GridPoint& point : points)
    if (!names.insert(name_of(point)).second)
      fail<UsageError>("--grid: two runs would be called ", name_of(point), ", expected values that tell them apart");
  return points;
}

std::string name_of(const GridPoint& point) {
  std::string name;
  for (const Setting& setting : point) name += message(name.empty() ? "" : "_", setting.option, '-', setting.value);
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '_') c = '-';
  return name;
}

void check_configuration(const io::Path& path) {
  CLI::App command;
  TrainOptions options;
  options.declare(command);
  read_configuration(path, command);
}

void check_train_options(const std::vector<std::string>& given) {
  CLI::App command;
  TrainOptions options;
  options.declare(command);
  check_numbers(command);
  try {
    command.parse(std::vector<std::string>(given.rbegin(), given.rend()));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  options.resolve(command);
}

GridPoint float_settings(const GridPoint& point) {
  const TrainCommandLine train;
  GridPoint result;
  for (const Setting& setting : point)
    if (!TrainOptions::is_for_quantization(*train.find(setting.option))) result.push_back(setting);
  return result;
}

}  // namespace bitgrad::cli
