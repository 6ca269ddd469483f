#include <bitgrad/cli/cli.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>
#include <regex>
#include <string>
#include <vector>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/help.hpp>
#include <bitgrad/cli/interruption.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/core/suggest.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* examples = R"(Examples:
  bitgrad train --data fashion-mnist --model fashion_cnn --epochs 8 --out runs/float
  bitgrad train --data fashion-mnist --from runs/float --qat-epochs 4 \
      --weights lsq:4 --activations lsq:4 --out runs/w4a4
  bitgrad data fashion-mnist
  bitgrad summary resnet8
  bitgrad verify runs/w4a4 --data fashion-mnist
  bitgrad table runs/float runs/w4a4
  bitgrad report runs/float runs/w4a4 --out compared.html
  bitgrad bench train --model resnet8 --mode lsq --batch 32
  bitgrad export runs/w4a4 --onnx w4a4.onnx
  bitgrad SUBCOMMAND --help

Exit code: 0, 1 after an error, 2 for wrong arguments, 3 where verify or golden cannot read what they compare,
130 after Ctrl-C, with everything saved.)";

/// Whatever goes wrong is one line, for people and for scripts.
int report(const std::string& text, int code) {
  const std::string lists = std::regex_replace(text, std::regex(":\\s*\n\\s*"), ": ");
  std::cerr << "bitgrad: error: " << std::regex_replace(lists, std::regex("\\s*\n\\s*"), "; ") << std::endl;
  return code;
}

/// The subcommand that was meant, the innermost that was named.
const CLI::App& meant(const CLI::App& program) {
  const CLI::App* command = &program;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return *command;
}

/// Where to read on.
std::string help_of(const CLI::App& program) {
  std::string text = "--help";
  for (const CLI::App* command = &meant(program); command; command = command->get_parent())
    text = command->get_name() + ' ' + text;
  return text;
}

/// What the parser found wrong; for a subcommand or option that does not exist, with the nearest that does.
std::string explain(const CLI::App& program, const CLI::ParseError& error) {
  const std::vector<std::string> strangers = program.remaining(true);
  if (strangers.empty()) return error.what();
  const CLI::App* command = &meant(program);
  std::vector<std::string> names;
  if (strangers.front().starts_with('-')) {
    for (const CLI::Option* option : command->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    const std::string nearest = nearest_name(strangers.front(), names);  // all of them would be a page
    return message("unknown option \"", strangers.front(), '"',
                   nearest.empty() ? "" : message(" (did you mean \"", nearest, "\"?)"));
  }
  for (const CLI::App* subcommand : command->get_subcommands(nullptr)) names.push_back(subcommand->get_name());
  return names.empty() ? error.what() : unknown_name("subcommand", strangers.front(), names);
}

}  // namespace

int run(int argc, const char* const* argv) {
  CLI::App program("Trains small quantized networks and turns them into integers with the same numbers.", "bitgrad");
  program.formatter(help_formatter());
  program.set_help_flag("-h,--help", "Print this help");
  program.set_version_flag("--version", "bitgrad " BITGRAD_VERSION, "Print the version");
  program.require_subcommand(1);
  program.footer(examples);
  add_train_command(program);
  add_data_command(program);
  add_lr_range_command(program);
  add_summary_command(program);
  add_verify_command(program);
  add_infer_command(program);
  add_table_command(program);
  add_report_command(program);
  add_sensitivity_command(program);
  add_allocate_command(program);
  add_sweep_command(program);
  add_golden_command(program);
  add_bench_command(program);
  add_check_command(program);
  add_quantizers_command(program);
  add_export_command(program);
  check_numbers(program);
  try {
    program.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help and --version
    return report(explain(program, error) + "; see " + help_of(program), 2);
  } catch (const UsageError& error) {
    return report(error.what(), 2);
  } catch (const UnreadableInput& error) {
    return report(error.what(), 3);
  } catch (const Interrupted& error) {
    std::cerr << "bitgrad: " << error.what() << std::endl;
    return 130;
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
}

}  // namespace bitgrad::cli
