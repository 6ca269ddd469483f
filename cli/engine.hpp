// The option --engine.
#pragma once

#include <string>

#include <bitgrad/qat/inference/session.hpp>

namespace bitgrad::cli {

/// UsageError with the nearest name unless it is "float" or "integer".
void check_engine(const std::string& engine);

/// A session of the graph by that engine. NotImplementedError for integers of a graph that quantizes nothing.
InferenceSession make_session(const InferenceGraph& graph, const std::string& engine);

}  // namespace bitgrad::cli
