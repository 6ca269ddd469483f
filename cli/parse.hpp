// Options with a syntax of their own.
#pragma once

#include <string>

#include <bitgrad/cli/commands.hpp>

namespace bitgrad::cli {

/// f(text). UsageError that names the option instead of f's ValueError.
template <class Parse>
auto parse(const char* option, const std::string& text, Parse&& f) {
  try {
    return f(text);
  } catch (const ValueError& error) {
    fail<UsageError>(option, " ", text, ": ", error.what());
  }
}

}  // namespace bitgrad::cli
