// Names that users type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bitgrad::cli {

/// "a, b, c"
std::string joined(const std::vector<std::string>& names);

/// UsageError with the nearest name unless `name` is one of `names`.
void require_known(std::string_view what, const std::string& name, const std::vector<std::string>& names);

/// What --model takes, for the help.
std::string model_help();

/// UsageError unless models::make() knows the name, NAME[:WIDTH][:normalized].
void require_model(const std::string& name);

}  // namespace bitgrad::cli
