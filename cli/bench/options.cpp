#include <bitgrad/cli/bench/options.hpp>

#include <CLI/App.hpp>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/kernels/isa.hpp>

namespace bitgrad::cli {
namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const kernels::Isa isa : kernels::all_isas) names.emplace_back(kernels::name_of(isa));
  return names;
}

}  // namespace

void Measuring::declare(CLI::App& command, const std::string& seconds_help) {
  const char* group = "Measuring";
  command.add_option("--seconds", seconds, seconds_help)->type_name("X")->capture_default_str()->group(group);
  declare_threads(command, threads)->group(group);
  command.add_option("--isa", isa, "Instruction set of the kernels: " + joined(isa_names()) + " (the best there is)")
      ->type_name("NAME")
      ->group(group);
  command.add_option("--json", json, "Write all numbers to a file as well")->type_name("FILE")->group(group);
}

void Measuring::check() const {
  if (!(seconds > 0 && seconds <= 3600)) fail<UsageError>("--seconds ", seconds, ": expected more than 0, up to 3600");
  check_threads(threads);
  if (!isa.empty()) require_known("instruction set", isa, isa_names());
  if (!json.empty()) io::require_writable(json);
}

void Measuring::apply() const {
  use_threads(threads);
  if (!isa.empty()) kernels::set_isa(kernels::isa_from_name(isa));
}

}  // namespace bitgrad::cli
