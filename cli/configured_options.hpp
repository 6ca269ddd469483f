// Single options of a run.json.
#pragma once

#include <map>
#include <string>

#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {

class ConfiguredOptions {
 public:
  /// Throws as configured_options(): a file that does not exist has no options.
  explicit ConfiguredOptions(const io::Path& path) : path_(path), options_(configured_options(path)) {}

  /// The text of an option, or what it is unless given.
  std::string text(const char* name, const std::string& unless_given) const {
    const auto found = options_.find(name);
    return found == options_.end() ? unless_given : found->second;
  }
  /// The same of a number; IoError for what is none.
  template <class T>
  T number(const char* name, T unless_given) const {
    const auto found = options_.find(name);
    if (found == options_.end()) return unless_given;
    T value{};
    if (read_number(found->second, value) != std::errc())
      fail<IoError>(path_.string(), ": \"", name, "\" is ", found->second, ", expected a number");
    return value;
  }

 private:
  io::Path path_;
  std::map<std::string, std::string> options_;
};

}  // namespace bitgrad::cli
