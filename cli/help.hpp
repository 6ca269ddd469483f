// How --help looks, the same for every command.
#pragma once

#include <memory>

namespace CLI {
class FormatterBase;
}

namespace bitgrad::cli {

/// Lays out a command's help: what it is for, its usage with everything that is required, arguments and options by
/// group with their defaults, and the command's own text. Lines are up to 120 columns wide.
std::shared_ptr<CLI::FormatterBase> help_formatter();

}  // namespace bitgrad::cli
