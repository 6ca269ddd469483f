#include <bitgrad/cli/names.hpp>

#include <algorithm>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::cli {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void require_known(std::string_view what, const std::string& name, const std::vector<std::string>& names) {
  if (std::ranges::find(names, name) == names.end()) throw UsageError(unknown_name(what, name, names));
}

}  // namespace bitgrad::cli
