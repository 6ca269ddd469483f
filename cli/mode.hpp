// --mode: the requantization that a command computes with.
#pragma once

#include <string>

#include <bitgrad/qat/inference/graph.hpp>

namespace CLI {
class App;
}

namespace bitgrad::cli {

/// --mode NAME: empty unless given.
void declare_mode(CLI::App& command, std::string& mode);
/// UsageError for a name that no mode has.
void check_mode(const std::string& mode);
/// Leaves the graph alone where no mode is given. Errors as set_requantization().
void use_mode(InferenceGraph& graph, const std::string& mode);

}  // namespace bitgrad::cli
