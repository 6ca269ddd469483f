#include <bitgrad/cli/idle_options.hpp>

#include <CLI/App.hpp>
#include <algorithm>

#include <bitgrad/cli/commands.hpp>

namespace bitgrad::cli {

std::vector<std::string> typed_options(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    if (option->count() > 0 && option->nonpositional()) names.push_back("--" + option->get_lnames().front());
  return names;
}

void refuse_idle_options(const std::vector<std::string>& typed, std::initializer_list<DependentOption> options) {
  for (const auto& [option, has_effect, needs] : options)
    if (!has_effect && std::ranges::find(typed, option) != typed.end())
      fail<UsageError>(option, " has no effect without ", needs);
}

}  // namespace bitgrad::cli
