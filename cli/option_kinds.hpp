// What values the options of the program take.
#pragma once

#include <string_view>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bitgrad::cli {

enum class OptionKind { flag, whole, number, text };

/// What the help says of it: the types of numbers are called N, S, T (whole), X and SHARE; lists join them by commas.
OptionKind kind_of(const CLI::Option& option);
/// "a whole number"
std::string_view expected(OptionKind kind);
/// Makes all options of a command and of its subcommands refuse numbers that are none, or that 64 bits cannot hold: the
/// parser would take the nearest one without a word.
void check_numbers(CLI::App& command);

}  // namespace bitgrad::cli
