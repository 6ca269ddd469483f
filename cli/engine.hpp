// The graph of a run, and the option --engine.
#pragma once

#include <string>

#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/qat/inference/session.hpp>

namespace bitgrad::cli {

/// IoError where the run has not come to its graph, or that cannot be read.
InferenceGraph load_graph(const RunDirectory& run);

/// UsageError with the nearest name unless it is "float" or "integer".
void check_engine(const std::string& engine);

/// A session of the graph by that engine. NotImplementedError for integers of a graph without codes.
InferenceSession make_session(const InferenceGraph& graph, const std::string& engine);

}  // namespace bitgrad::cli
