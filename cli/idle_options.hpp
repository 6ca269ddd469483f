// Options that change nothing.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// An option that has an effect together with something else alone.
struct DependentOption {
  const char* option;  ///< "--temperature"
  bool has_effect;
  const char* needs;  ///< "--distill"
};

/// "--lr", ...: what was given on the command line.
std::vector<std::string> typed_options(const CLI::App& command);

/// UsageError for the first of them that was typed and has no effect: who types an option expects one, and a result
/// without it would be taken for one with it. Options from a file are not asked: a file may serve several runs.
void refuse_idle_options(const std::vector<std::string>& typed, std::initializer_list<DependentOption> options);

}  // namespace bitgrad::cli
