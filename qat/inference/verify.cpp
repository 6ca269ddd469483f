#include <bitgrad/qat/inference/verify.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <tuple>

#include <bitgrad/qat/inference/builder.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/detail/likely_cause.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <bitgrad/qat/inference/detail/training_forward.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/inference/session.hpp>

namespace bitgrad {
namespace {

/// A directory that vanishes with the object.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "bitgrad-verify-XXXXXX").string();
    if (!mkdtemp(name.data()))
      fail<IoError>("verify: cannot create a scratch directory ", name, ": ", std::strerror(errno));
    path_ = name;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

InferenceGraph reload(const InferenceGraph& graph) {
  const ScratchDirectory directory;
  graph.save(directory.path());
  return InferenceGraph::load(directory.path());
}

/// Tensors that the promise covers, in execution order: codes, and what integer layers hand on as float32.
std::vector<int> promised_tensors(const InferenceGraph& graph) {
  std::vector<int> result;
  for (const GraphNode& node : graph.nodes)
    if (graph.tensors[static_cast<std::size_t>(node.output)].grid || inference::integer_weights(node.operation))
      result.push_back(node.output);
  return result;
}

class Verification {
 public:
  explicit Verification(const InferenceGraph& graph)
      : graph_(graph),
        integers_(graph, InferenceEngine::integer),
        floats_(graph, InferenceEngine::float32),
        promised_(promised_tensors(graph)) {
    for (const GraphNode& node : graph.nodes) {
      if (inference::integer_weights(node.operation)) report_.certificates.push_back(certify(graph, node));
      if (inference::is_float_operation(node.operation)) report_.float_layers.push_back(node.name);
    }
  }

  VerifyReport run(const Tensor& images, Index batch, Model* model, bool training_forward);

 private:
  /// Order, sample and element.
  using Place = std::tuple<std::size_t, Index, Index>;

  void run_integers(const std::vector<Tensor>& expected);
  void compare(std::string_view executor, const std::vector<Tensor>& expected, const std::vector<Tensor>& found);
  void compare_tensor(std::string_view executor, std::size_t order, const Tensor& expected, const Tensor& found);
  void note(std::string_view executor, const Place& place, std::int32_t expected, std::int32_t found);
  void explain(const InferenceGraph* live);

  const InferenceGraph& graph_;
  InferenceSession integers_, floats_;
  std::vector<int> promised_;
  VerifyReport report_;
  Index first_sample_ = 0;                                ///< of the batch at hand
  std::map<std::string, Place, std::less<>> differs_at_;  ///< by executor, first of all
};

void Verification::compare_tensor(std::string_view executor, std::size_t order, const Tensor& expected,
                                  const Tensor& found) {
  report_.codes_compared += expected.size();
  if (std::memcmp(expected.bytes(), found.bytes(), expected.byte_size()) == 0) return;
  const Index per_sample = expected.size() / expected.dim(0);
  for (Index i = 0; i < expected.size(); ++i) {
    std::int32_t wanted, got;  // float32 by its bits
    std::memcpy(&wanted, expected.bytes() + i * 4, 4);
    std::memcpy(&got, found.bytes() + i * 4, 4);
    if (wanted == got) continue;
    ++report_.differing_codes;
    note(executor, {order, first_sample_ + i / per_sample, i % per_sample}, wanted, got);
  }
}

void Verification::note(std::string_view executor, const Place& place, std::int32_t expected, std::int32_t found) {
  const auto is_later = [&](const auto& entry) { return entry.second > place; };
  const bool first = std::ranges::all_of(differs_at_, is_later);
  const auto [own, is_new] = differs_at_.emplace(executor, place);
  own->second = std::min(own->second, place);
  if (!first) return;
  const auto [order, sample, element] = place;
  const GraphTensor& tensor = graph_.tensors[static_cast<std::size_t>(promised_[order])];
  using Kind = CodeDifference::Kind;
  report_.first_difference = CodeDifference{.tensor = tensor.name,
                                            .shape = tensor.shape,
                                            .kind = tensor.grid ? Kind::code : Kind::float_bits,
                                            .sample = sample,
                                            .element = element,
                                            .expected = expected,
                                            .found = found,
                                            .executor = std::string(executor),
                                            .cause = ""};
}

void Verification::explain(const InferenceGraph* live) {
  if (!report_.first_difference) return;
  std::size_t order = promised_.size();
  for (const auto& [executor, place] : differs_at_) order = std::min(order, std::get<0>(place));
  std::set<std::string> executors;
  for (const auto& [executor, place] : differs_at_)
    if (std::get<0>(place) == order) executors.insert(executor);
  report_.first_difference->cause = inference::likely_cause(graph_, live, promised_[order], executors);
}

void Verification::compare(std::string_view executor, const std::vector<Tensor>& expected,
                           const std::vector<Tensor>& found) {
  for (std::size_t order = 0; order < promised_.size(); ++order) {
    const std::size_t t = static_cast<std::size_t>(promised_[order]);
    if (found[t].defined()) compare_tensor(executor, order, expected[t], found[t]);
  }
}

void Verification::run_integers(const std::vector<Tensor>& expected) {
  if (!report_.integer_engine_skipped.empty()) return;
  try {
    const Tensor& codes = expected[static_cast<std::size_t>(graph_.integer_input())];
    compare("integer engine", expected, integers_.run_integer_all(codes));
  } catch (const NotImplementedError& error) {
    report_.integer_engine_skipped = error.what();
  }
}

/// Tensors of `live` in the order of `graph`, by name.
std::vector<Tensor> aligned(const InferenceGraph& graph, const InferenceGraph& live,
                            const std::vector<Tensor>& values) {
  std::vector<Tensor> result;
  for (const GraphTensor& tensor : graph.tensors) {
    const auto same = [&](const GraphTensor& other) { return other.name == tensor.name; };
    const auto found = std::find_if(live.tensors.begin(), live.tensors.end(), same);
    if (found == live.tensors.end() || found->shape != tensor.shape ||
        found->grid.has_value() != tensor.grid.has_value())
      fail<ValueError>("verify: the model does not lower to this graph: tensor \"", tensor.name,
                       "\" is missing or of another kind");
    result.push_back(values[static_cast<std::size_t>(found - live.tensors.begin())]);
  }
  return result;
}

InferenceGraph lowered(const Model& model, RequantizationMode mode) {
  InferenceGraph graph = convert2inferable(model);
  set_requantization(graph, mode);
  return graph;
}

VerifyReport Verification::run(const Tensor& images, Index batch, Model* model, bool training_forward) {
  if (batch < 1) fail<ValueError>("verify: a batch of ", batch, ", expected at least 1");
  std::optional<InferenceSession> live;
  std::optional<inference::TrainingForward> layers;
  if (model) live.emplace(lowered(*model, graph_.mode));
  if (model && training_forward) layers.emplace(*model, graph_);
  report_.samples = images.dim(0);
  for (Index begin = 0; begin < images.dim(0); begin += batch) {
    const Tensor x = images.rows(begin, std::min(begin + batch, images.dim(0)));
    first_sample_ = begin;
    const std::vector<Tensor> expected = run_naive(graph_, x);
    if (live) compare("evaluate", expected, aligned(graph_, live->graph(), live->run_all(x)));
    compare("integer engine", expected, integers_.run_all(x));
    compare("float engine", expected, floats_.run_all(x));
    run_integers(expected);
    if (layers) layers->compare(x, expected);
  }
  if (layers) report_.training_forward = layers->agreements();
  explain(live ? &live->graph() : nullptr);
  return report_;
}

}  // namespace

VerifyReport verify(Model& model, const InferenceGraph& graph, const Tensor& images, const VerifyOptions& options) {
  const InferenceGraph reloaded = reload(graph);
  return Verification(reloaded).run(images, options.batch, &model, options.training_forward);
}

VerifyReport verify(const InferenceGraph& graph, const Tensor& images, const VerifyOptions& options) {
  const InferenceGraph reloaded = reload(graph);
  return Verification(reloaded).run(images, options.batch, nullptr, false);
}

}  // namespace bitgrad
