// What values the options of the program take.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bitgrad::cli {

enum class OptionKind { flag, whole, number, text };

/// The whole text as a T, a plus sign in front allowed: its value, or what from_chars() says is wrong.
template <class T>
std::errc read_number(const std::string& text, T& value) {
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(begin, end, value);
  return result.ec == std::errc() && result.ptr != end ? std::errc::invalid_argument : result.ec;
}

/// What the help says of it: the types of numbers are called N, S, T (whole), X and SHARE; lists join them by commas.
OptionKind kind_of(const CLI::Option& option);
/// "a whole number"
std::string_view expected(OptionKind kind);
/// A check for unsigned options: "-1" would become the largest number there is.
std::string whole_number(const std::string& text);
/// Makes all options of a command and of its subcommands refuse numbers that are none, or that 64 bits cannot hold: the
/// parser would take the nearest one without a word.
void check_numbers(CLI::App& command);

}  // namespace bitgrad::cli
