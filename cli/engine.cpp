#include <bitgrad/cli/engine.hpp>

#include <bitgrad/cli/names.hpp>

namespace bitgrad::cli {

InferenceGraph load_graph(const RunDirectory& run) {
  run.require(run.graph());
  return InferenceGraph::load(run.graph().string());
}

void check_engine(const std::string& engine) { require_known("engine", engine, {"float", "integer"}); }

InferenceSession make_session(const InferenceGraph& graph, const std::string& engine) {
  if (engine == "float") return InferenceSession(graph, InferenceEngine::float32);
  graph.integer_input();  // or there are no integers to compute with
  return InferenceSession(graph, InferenceEngine::integer);
}

}  // namespace bitgrad::cli
