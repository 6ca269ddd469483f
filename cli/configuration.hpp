// Options of a subcommand in a file, for --config, and back into one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/io/file.hpp>

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// Gives the command every option of the file that was not typed. The file is a JSON object whose keys are the names of
/// the options without dashes: numbers, texts, true or false for flags, and for bits the object that its file would
/// hold; {"format": "bitgrad.run", "version": 1} may stand beside them. UsageError naming the file and the key for one
/// that is unknown (with the nearest) or has a value of another kind, and what was expected; IoError for a file that
/// cannot be read.
void read_configuration(const io::Path& path, CLI::App& command);
/// The same of a file's text; `what` is the file's name.
void parse_configuration(std::string_view text, const std::string& what, CLI::App& command);

/// The options of a run.json and their values as text, whatever they are called; none where there is no such file.
/// IoError for a file that cannot be read or is no JSON object.
std::map<std::string, std::string> configured_options(const io::Path& path);

/// What read_configuration() takes: every option's text in `resolved`, or else as the command has been given it, or
/// else the default that its help shows (false for flags), in the order of the help, with format and version. Left out
/// are those that have none of these, and those that choose what is done to the run's directory rather than its numbers
/// (--resume, --replace, --config).
std::string configuration_of(const CLI::App& command, const std::map<std::string, std::string>& resolved);

/// An option that has two values.
struct OptionDifference {
  std::string option;       ///< without dashes
  std::string there, here;  ///< as JSON has them; empty: not given
};

/// What differs between a file that a run left (`there`) and the text of configuration_of() (`here`), in the order of
/// the help. An option that the file lacks is one that was not given then, or that did not exist yet: it differs when
/// it is one of `given`, without dashes. IoError for a file that cannot be read or is no JSON object.
std::vector<OptionDifference> different_options(const io::Path& there, std::string_view here,
                                                const std::vector<std::string>& given);

}  // namespace bitgrad::cli
