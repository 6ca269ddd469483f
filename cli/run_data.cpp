#include <bitgrad/cli/run_data.hpp>

#include <filesystem>
#include <map>

#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/report.hpp>
#include <bitgrad/core/data/hold_out.hpp>

namespace bitgrad::cli {
namespace {

/// A number of run.json, or what it is unless given.
template <class T>
T option_of(const RunDirectory& run, const char* name, T unless_given) {
  if (!std::filesystem::exists(run.configuration())) return unless_given;
  const std::map<std::string, std::string> options = configured_options(run.configuration());
  const auto found = options.find(name);
  if (found == options.end()) return unless_given;
  T value{};
  if (read_number(found->second, value) != std::errc())
    fail<IoError>(run.configuration().string(), ": \"", name, "\" is ", found->second, ", expected a number");
  return value;
}

}  // namespace

std::string data_of(const RunDirectory& run) {
  return std::filesystem::exists(run.report()) ? read_report(run).data : "fashion-mnist";
}

data::Dataset training_images(const RunDirectory& run, const std::string& name_or_path) {
  data::Dataset images = load_limited(name_or_path, data::Split::train, option_of<Index>(run, "limit", 0));
  const auto held_out = option_of<double>(run, "hold-out", 0);
  if (held_out == 0) return images;
  return data::hold_out(images, held_out, option_of<std::uint64_t>(run, "hold-out-seed", 1)).rest;
}

}  // namespace bitgrad::cli
