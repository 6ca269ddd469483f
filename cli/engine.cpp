#include <bitgrad/cli/engine.hpp>

#include <bitgrad/cli/names.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {

InferenceGraph load_graph(const RunDirectory& run) {
  run.require(run.graph());
  return InferenceGraph::load(run.graph().string());
}

void check_engine(const std::string& engine) { require_known("engine", engine, {"float", "integer"}); }

InferenceSession make_session(const InferenceGraph& graph, const std::string& engine) {
  if (engine == "float") return InferenceSession(graph, InferenceEngine::float32);
  if (!graph.has_codes())
    fail<NotImplementedError>(
        "--engine integer: no activations are quantized, so that every layer computes on float32 ",
        "and there are no integers to run: train with --weights and --activations");
  return InferenceSession(graph, InferenceEngine::integer);
}

}  // namespace bitgrad::cli
