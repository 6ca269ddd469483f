#include <CLI/App.hpp>

#include <bitgrad/cli/mode.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::cli {
namespace {

std::vector<std::string> mode_names() {
  std::vector<std::string> names;
  for (const RequantizationMode each : requantization_modes()) names.emplace_back(name_of(each));
  return names;
}

}  // namespace

void declare_mode(CLI::App& command, std::string& mode) {
  command.add_option("--mode", mode, message("Requantization: ", joined(mode_names()), "; default: the graph's, ort"))
      ->type_name("NAME");
}

void check_mode(const std::string& mode) {
  if (!mode.empty()) require_known("mode", mode, mode_names());
}

void use_mode(InferenceGraph& graph, const std::string& mode) {
  if (!mode.empty()) set_requantization(graph, requantization_mode(mode));
}

}  // namespace bitgrad::cli
