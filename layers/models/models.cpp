#include <bitgrad/layers/models/models.hpp>

#include <algorithm>
#include <charconv>
#include <map>

#include <bitgrad/core/suggest.hpp>
#include <bitgrad/layers/normalize.hpp>

namespace bitgrad::models {
namespace {

struct Entry {
  Model (*make)(const Shape&, Index classes, Index width);
  Shape input_shape;
};

const std::map<std::string, Entry, std::less<>>& table() {
  static const std::map<std::string, Entry, std::less<>> models{{"ds_cnn", {ds_cnn, {49, 10, 1}}},
                                                                {"fashion_cnn", {fashion_cnn, {28, 28, 1}}},
                                                                {"lenet5", {lenet5, {28, 28, 1}}},
                                                                {"mlp", {mlp, {28, 28, 1}}},
                                                                {"mobilenet_v1", {mobilenet_v1, {96, 96, 3}}},
                                                                {"resnet20", {resnet20, {32, 32, 3}}},
                                                                {"resnet8", {resnet8, {32, 32, 3}}}};
  return models;
}

const Entry& entry(std::string_view name) {
  const auto found = table().find(name);
  if (found == table().end()) fail<ValueError>(unknown_name("model", name, names()));
  return found->second;
}

/// NAME[:WIDTH][:normalized], taken apart.
struct ModelName {
  std::string_view name;
  Index width = 1;
  bool normalized = false;

  explicit ModelName(std::string_view text) : name(text.substr(0, text.find(':'))) {
    std::string_view rest = text.substr(name.size());
    if (rest == normalized_suffix || rest.ends_with(normalized_suffix)) {
      normalized = true;
      rest.remove_suffix(normalized_suffix.size());
    }
    if (rest.empty()) return;
    const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), width);
    if (error != std::errc() || end != rest.data() + rest.size())
      fail<ValueError>("model ", text,
                       ": expected a name, NAME:WIDTH (how many times as wide, a whole number), NAME:normalized or "
                       "NAME:WIDTH:normalized");
  }

 private:
  static constexpr std::string_view normalized_suffix = ":normalized";
};

constexpr const char* normalization = "normalize";

/// The model behind a normalisation, its layers under the same names.
Model behind_normalization(const Model& model, const Shape& input_shape) {
  const auto channels = static_cast<std::size_t>(input_shape[-1]);
  Model result;
  const Model::Value input =
      result.add(Normalize({.mean = std::vector<float>(channels, 0), .deviation = std::vector<float>(channels, 1)}),
                 result.input(), normalization);
  std::vector<Model::Value> values;
  const auto here = [&](int node) { return node < 0 ? input : values[static_cast<std::size_t>(node)]; };
  for (const Model::Node& node : model.nodes()) {
    std::vector<Model::Value> sources;
    for (const int source : node.inputs) sources.push_back(here(source));
    values.push_back(result.add(node.layer->clone(), sources, node.name));
  }
  result.set_output(here(model.output().node));
  return result;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> result;
  for (const auto& [name, model] : table()) result.push_back(name);
  return result;
}

Shape usual_input_shape(std::string_view name) { return entry(ModelName(name).name).input_shape; }

Model make(std::string_view name, const Shape& input_shape, Index classes, Index width) {
  const ModelName parts(name);
  const Entry& known = entry(parts.name);
  width *= parts.width;
  if (classes < 2) fail<ValueError>("model ", name, ": ", classes, " classes, expected at least 2");
  if (width < 1) fail<ValueError>("model ", name, ": width is ", width, ", expected at least 1");
  Model model = known.make(input_shape, classes, width);
  return parts.normalized ? behind_normalization(model, input_shape) : model;
}

NamedTensors normalization_state(const Model& model, const data::ChannelStatistics& statistics) {
  NamedTensors state;
  if (std::ranges::find(model.nodes(), normalization, &Model::Node::name) == model.nodes().end()) return state;
  state.add(message(normalization, "/mean"), statistics.mean);
  state.add(message(normalization, "/deviation"), statistics.deviation);
  return state;
}

}  // namespace bitgrad::models
